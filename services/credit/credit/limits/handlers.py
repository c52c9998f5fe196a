"""What customers says about sales: what a customer bought, and gave back, is counted for each local month.

All purchases of a customer who is named, on account or not: the net of GOODS and SERVICE lines. A return is
taken off the month of its sale, so a month says what was bought in it and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from credit.accounts.model import Key, local_date
from credit.errors import InvalidTimeZone
from credit.limits import store
from credit.limits.model import Spent, month_of
from credit.zones import known_zone
from kit.db import Conn
from kit.events import Received
from kit.ids import canonical_uuid, valid_customer_id
from kit.money import Currency, to_minor
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import line_pb2

_COUNTED = frozenset({line_pb2.LINE_KIND_GOODS, line_pb2.LINE_KIND_SERVICE})


async def bought(conn: Conn, events: Sequence[Received]) -> None:
    """Count finished sales."""
    await _add(conn, [_bought(event) for event in events])


async def given_back(conn: Conn, events: Sequence[Received]) -> None:
    """Count returns."""
    await _add(conn, [_given_back(event) for event in events])


async def _add(conn: Conn, spent: Sequence[Spent | None]) -> None:
    counted = [each for each in spent if each is not None and each.amount]
    if counted:
        await store.add(conn, counted)


def _bought(event: Received) -> Spent | None:
    payload: purchases_pb2.PurchaseCompleted = event.payload
    if not valid_customer_id(payload.customer_id):
        return None
    currency = Currency(payload.currency_code, payload.minor_digits)
    return Spent(
        key=Key(event.merchant_id, payload.customer_id),
        month=_month(payload.time_zone, payload.effective_at.ToDatetime(UTC)),
        cause_id=canonical_uuid(payload.purchase_id, "purchase_id"),
        amount=sum(to_minor(line.net, currency) for line in payload.lines if line.kind in _COUNTED),
    )


def _given_back(event: Received) -> Spent | None:
    payload: purchases_pb2.PurchaseReturned = event.payload
    if not valid_customer_id(payload.customer_id):
        return None
    return Spent(
        key=Key(event.merchant_id, payload.customer_id),
        month=_month(payload.time_zone, payload.purchase_effective_at.ToDatetime(UTC)),
        cause_id=canonical_uuid(payload.return_id, "return_id"),
        amount=-sum(line.amount for line in payload.lines if line.kind in _COUNTED),
    )


def _month(zone: str, at: datetime) -> date:
    """The local month of an instant; in UTC where the zone is not known here: no sale waits for that."""
    try:
        known = known_zone(zone)
    except InvalidTimeZone:
        known = "UTC"
    return month_of(local_date(known, at))
