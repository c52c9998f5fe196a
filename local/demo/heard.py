"""What loyalty and credit told the others in a run: read from their topics, each event once."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from google.protobuf.message import Message

from kit.events.envelope import decode, event_type, open_record
from langganan.events.v1 import credit_pb2, loyalty_pb2
from local.demo.ask import date

TOPICS = ("loyalty", "credit")
TYPES: Mapping[str, type[Message]] = {
    "tier-changed": loyalty_pb2.TierChanged,
    "points-expiring": loyalty_pb2.PointsExpiring,
    "payment-due": credit_pb2.PaymentDue,
    "payment-overdue": credit_pb2.PaymentOverdue,
}
OWED = ("payment-due", "payment-overdue")


class Heard:
    """Events by customer and type, in the order in which they were published."""

    def __init__(self) -> None:
        self._events: defaultdict[str, list[tuple[str, Any]]] = defaultdict(list)

    def note(self, type_: str, payload: Any) -> None:
        """Keep an event."""
        self._events[payload.customer_id].append((type_, payload))

    def tier_changes(self, customer_id: str) -> list[tuple[str, str, str, int]]:
        """From, to, cause and instant of each change after the first tier."""
        return [
            (one.from_tier, one.to_tier, one.cause_id, one.effective_at.seconds)
            for one in self._of(customer_id, "tier-changed")
            if one.from_tier
        ]

    def expiring(self, customer_id: str) -> list[tuple[datetime.date | None, dict[datetime.date, int]]]:
        """Local date of each notice, and the points that it names by their last day."""
        return [(date(one.local_date), _by_day(one.lots)) for one in self._of(customer_id, "points-expiring")]

    def owed(
        self, customer_id: str, purchases: Mapping[str, str]
    ) -> list[tuple[str, datetime.date | None, dict[str, int], dict[str, int]]]:
        """Kind, local date, what is overdue and what is due of each notice; `purchases` by invoice."""
        return [
            (
                type_,
                date(one.local_date),
                {purchases.get(i.invoice_id, "?"): i.outstanding for i in getattr(one, "overdue", ())},
                {purchases.get(i.invoice_id, "?"): i.outstanding for i in one.due},
            )
            for type_, one in self._events.get(customer_id, ())
            if type_ in OWED
        ]

    def _of(self, customer_id: str, type_: str) -> list[Any]:
        return [payload for found, payload in self._events.get(customer_id, ()) if found == type_]


def _by_day(lots: Iterable[loyalty_pb2.ExpiringLot]) -> dict[datetime.date, int]:
    points: dict[datetime.date, int] = {}
    for lot in lots:
        day = datetime.date(lot.expires_on.year, lot.expires_on.month, lot.expires_on.day)
        points[day] = points.get(day, 0) + lot.points
    return points


async def listen(bootstrap: str, prefix: str = "") -> Heard:
    """Read the topics from their beginning to where they end now; raise aiokafka's errors."""
    heard, seen = Heard(), set[str]()
    # Without a group: all partitions are its own, and nothing of it is kept.
    consumer = AIOKafkaConsumer(
        *(prefix + topic for topic in TOPICS),
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        behind = await consumer.end_offsets(consumer.assignment())
        while behind := {one: end for one, end in behind.items() if await consumer.position(one) < end}:
            for batch in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in batch:
                    _note(heard, seen, record, prefix)
    finally:
        await consumer.stop()
    return heard


def _note(heard: Heard, seen: set[str], record: Any, prefix: str) -> None:
    """Keep an event that is compared; the relay may have sent it twice."""
    payload_class = TYPES.get(event_type(record))
    if payload_class is None:
        return
    received = decode(open_record(record, prefix), payload_class)
    if received.id not in seen:
        seen.add(received.id)
        heard.note(received.type, received.payload)
