"""The outbox: events written in the transaction that made them true, so that neither is without the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kit import cause, db
from kit.db import Conn
from kit.events.envelope import MAX_PAYLOAD_BYTES, EventTooLarge, Outgoing

_queries = db.load(__file__)

COUNTED_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for Kafka: `depth` in events (counted up to 100,000), `age` of the oldest in seconds."""

    depth: int
    age: float


async def publish(conn: Conn, topic: str, events: Sequence[Outgoing]) -> None:
    """Write events, in order, to the outbox; call it after the customer's lock, so that ids follow order.

    `topic` is the publishing service's, without prefix. Raises EventTooLarge above 900 kB.
    """
    if not events:
        return
    payloads = [event.payload.SerializeToString() for event in events]
    for event, payload in zip(events, payloads, strict=True):
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise EventTooLarge(
                f"the event {event.type} would be {len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}; "
                "send fewer or shorter lines",
                bytes=str(len(payload)),
            )
    ambient = cause.traceparents([(event.merchant_id, event.key) for event in events])
    await _queries.insert_outbox(
        conn,
        topic=topic,
        event_ids=[event.id for event in events],
        types=[event.type for event in events],
        merchant_ids=[event.merchant_id for event in events],
        keys=[event.key for event in events],
        times=[event.time for event in events],
        traceparents=[event.traceparent or of for event, of in zip(events, ambient, strict=True)],
        payloads=payloads,
    )


async def backlog(conn: Conn) -> Backlog:
    """How much waits in the outbox; empty is a part of being settled."""
    row = await _queries.outbox_backlog(conn, limit=COUNTED_AT_MOST)
    return Backlog(depth=row["depth"], age=row["age"])
