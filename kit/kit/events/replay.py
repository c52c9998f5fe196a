"""Replay: a customer's parked events applied in order, by staff or, for NOT_YET, by a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from kit import db
from kit.db import Conn, Pool
from kit.events import parking, trouble
from kit.events.envelope import Envelope, decode
from kit.events.following import following
from kit.events.handlers import Handler, Lock
from kit.events.parking import Blocks

log = structlog.get_logger(__name__)
_queries = db.load(__file__)

CUSTOMERS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: events applied, and events that stay parked."""

    applied: int = 0
    left: int = 0

    def __add__(self, other: Replayed) -> Replayed:
        return Replayed(self.applied + other.applied, self.left + other.left)


async def list_parked(pool: Pool, limit: int = 200) -> list[dict[str, Any]]:
    """What is parked: customer, event, status, error and its sentence, by customer, oldest first."""
    async with pool.acquire(timeout=5) as conn:
        return [dict(row) async for row in _queries.parked_heads(conn, limit=limit)]


async def customers(pool: Pool, limit: int = CUSTOMERS_AT_ONCE) -> list[tuple[str, str]]:
    """Who has something parked: (merchant, key), whose oldest event waits longest first."""
    async with pool.acquire(timeout=5) as conn:
        return [(r["merchant_id"], r["key"]) async for r in _queries.parked_customers(conn, limit=limit)]


async def due_not_yet(pool: Pool, limit: int = CUSTOMERS_AT_ONCE) -> list[tuple[str, str]]:
    """Whose NOT_YET events are due for another try, by wall time."""
    async with pool.acquire(timeout=5) as conn:
        return [(r["merchant_id"], r["key"]) async for r in _queries.due_not_yet(conn, limit=limit)]


async def replay(
    pool: Pool,
    handlers: Mapping[str, Handler],
    lock: Lock,
    merchant_id: str,
    key: str,
    *,
    poisoned: bool = True,
) -> Replayed:
    """Apply one customer's parked events in order, in one transaction; what fails again stays, noted.

    `poisoned=False` leaves a poisoned event, and what waits behind it, to staff.
    """
    async with db.transaction(pool) as conn:
        rows = [r async for r in _queries.parked_of(conn, merchant_id=merchant_id, key=key)]
        separate = await _lock(conn, handlers, lock, rows)
        # Lock in one statement, read in a later one; the consumer parks nothing behind until we commit.
        await _queries.lock_parked(conn, merchant_id=merchant_id, key=key)
        known = {row["id"] for row in rows}
        rows = [
            r async for r in _queries.parked_of(conn, merchant_id=merchant_id, key=key) if r["id"] in known
        ]
        blocks = Blocks()
        done: list[int] = []
        for row in rows:
            envelope = _envelope(row)
            if blocks.holds(envelope):
                continue
            if row["status"] == "POISONED" and not poisoned:
                blocks.add(*envelope.customer, envelope.topic, "POISONED")
                continue
            with following("replay", "", [envelope]) as followed:
                error = await _apply(conn, handlers, lock if separate else None, followed.envelopes[0])
                if error is not None:
                    followed.refused[envelope.id] = parking.status_of(error)
            if error is None:
                done.append(row["id"])
                continue
            blocks.add(*envelope.customer, envelope.topic, parking.status_of(error))
            await _note(conn, row, error)
        await _queries.unpark(conn, merchant_id=merchant_id, key=key, ids=done)
    log.info("parked_replayed", key=key, applied=len(done), left=len(rows) - len(done))
    return Replayed(len(done), len(rows) - len(done))


async def _lock(conn: Conn, handlers: Mapping[str, Handler], lock: Lock, rows: list[Any]) -> bool:
    """Lock all accounts that the events name; True when each event has to lock its own."""
    try:
        async with db.savepoint(conn):
            await lock(conn, [decode(_envelope(r), handlers[r["type"]].payload) for r in rows])
    except Exception as error:
        if trouble.blameless(error, conn):
            raise
        return True
    return False


async def _apply(
    conn: Conn, handlers: Mapping[str, Handler], lock: Lock | None, envelope: Envelope
) -> Exception | None:
    try:
        async with db.savepoint(conn):
            handler = handlers[envelope.type]
            event = decode(envelope, handler.payload)
            if lock is not None:
                await lock(conn, [event])
            refusals = await handler.apply(conn, [event])
    except Exception as error:
        if trouble.blameless(error, conn):
            raise
        return error
    refusal = refusals[0] if refusals else None
    if refusal is not None and trouble.blameless(refusal, conn):
        raise refusal
    return refusal


async def _note(conn: Conn, row: Any, error: Exception) -> None:
    await _queries.park_again(
        conn,
        merchant_id=row["merchant_id"],
        key=row["key"],
        id=row["id"],
        status=parking.status_of(error),
        error_type=type(error).__name__,
        error=parking.sentence(error),
    )


def _envelope(row: Any) -> Envelope:
    return Envelope(
        id=row["event_id"],
        type=row["type"],
        merchant_id=row["merchant_id"],
        key=row["key"],
        time=row["time"],
        traceparent=row["traceparent"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        record_time=row["record_time"],
        payload=row["payload"],
    )
