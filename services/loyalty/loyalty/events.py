"""What loyalty publishes: topic "loyalty", key the customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from kit.events import Outgoing
from langganan.events.v1 import loyalty_pb2 as pb

TOPIC = "loyalty"


def stamp(at: datetime) -> Timestamp:
    """Return an instant as a Timestamp."""
    out = Timestamp()
    out.FromDatetime(at)
    return out


def to_date(day: date | None) -> Date | None:
    """Return a day as google.type.Date; None stays None."""
    return None if day is None else Date(year=day.year, month=day.month, day=day.day)


def points_earned(
    merchant_id: str,
    customer_id: str,
    purchase_id: str,
    points: int,
    balance: int,
    expires_on: date | None,
    version: int,
    at: datetime,
) -> Outgoing:
    """Points were added to an account by a purchase."""
    payload = pb.PointsEarned(
        merchant_id=merchant_id,
        customer_id=customer_id,
        purchase_id=purchase_id,
        points=points,
        balance=balance,
        expires_on=to_date(expires_on),
        program_version=version,
        earned_at=stamp(at),
    )
    return Outgoing("points-earned", merchant_id, customer_id, payload, at)


def points_redeemed(
    merchant_id: str,
    customer_id: str,
    purchase_id: str,
    reservation_id: str,
    points: int,
    value: int,
    balance: int,
    at: datetime,
) -> Outgoing:
    """Points were used in a purchase; `value` in minor units."""
    payload = pb.PointsRedeemed(
        merchant_id=merchant_id,
        customer_id=customer_id,
        purchase_id=purchase_id,
        reservation_id=reservation_id,
        points=points,
        value=value,
        balance=balance,
        redeemed_at=stamp(at),
    )
    return Outgoing("points-redeemed", merchant_id, customer_id, payload, at)


def points_expiring(
    merchant_id: str, customer_id: str, lots: Sequence[tuple[int, date]], day: date, at: datetime
) -> Outgoing:
    """Points will expire soon: (points, last day) of each lot; found at `at` on the local `day`."""
    ends: dict[date, int] = {}
    for points, last in lots:
        ends[last] = ends.get(last, 0) + points
    payload = pb.PointsExpiring(
        merchant_id=merchant_id,
        customer_id=customer_id,
        lots=[pb.ExpiringLot(points=ends[last], expires_on=to_date(last)) for last in sorted(ends)],
        points=sum(ends.values()),
        noticed_at=stamp(at),
        local_date=to_date(day),
    )
    return Outgoing("points-expiring", merchant_id, customer_id, payload, at)


def tier_changed(
    merchant_id: str,
    customer_id: str,
    from_tier: str,
    to_tier: str,
    cause: str,
    cause_id: str,
    at: datetime,
    revision: int,
) -> Outgoing:
    """A customer is in another tier; `cause` is PLUGIN or PINNED."""
    payload = pb.TierChanged(
        merchant_id=merchant_id,
        customer_id=customer_id,
        from_tier=from_tier,
        to_tier=to_tier,
        cause=cause,
        cause_id=cause_id,
        effective_at=stamp(at),
        revision=revision,
    )
    return Outgoing("tier-changed", merchant_id, customer_id, payload, at)
