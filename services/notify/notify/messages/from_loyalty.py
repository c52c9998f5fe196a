"""What loyalty says becomes: notice of points that expire, and of another tier."""

from __future__ import annotations

from datetime import date

from kit.events import Received
from kit.ids import derived_uuid
from notify.messages.from_credit import day
from notify.messages.hours import latest_end_of
from notify.messages.records import NewMessage
from notify.templates.catalogue import POINTS_EXPIRING, TIER_CHANGED
from notify.templates.values import Value, reference


def points_expiring(event: Received) -> NewMessage | None:
    """Tell of points that expire; of use until the end of the soonest day of theirs."""
    said, template = event.payload, POINTS_EXPIRING
    points: dict[date, int] = {}
    for lot in said.lots:
        on = day(lot.expires_on)
        points[on] = points.get(on, 0) + lot.points
    if not points:
        return None
    first, last = min(points), max(points)
    values: dict[str, Value] = {"points": points[first], "expires_on": first}
    if last != first:
        values |= {"later_points": sum(points.values()) - points[first], "last_on": last}
    cause = f"{said.customer_id}/{day(said.local_date).isoformat()}"
    return NewMessage(
        merchant_id=event.merchant_id,
        message_id=derived_uuid("message", event.merchant_id, template.name, cause),
        customer_id=said.customer_id,
        kind=template.name,
        cause=cause,
        template=template.name,
        variables=values,
        created_at=event.time,
        not_after=latest_end_of(first),
        family=template.family,
        until=first,
    )


def tier_changed(event: Received) -> NewMessage | None:
    """Tell of another tier, by the program or by staff; the first tier of a customer is not told."""
    said, template = event.payload, TIER_CHANGED
    if not said.from_tier or said.from_tier == said.to_tier:
        return None
    cause = f"{said.customer_id}/{said.revision}"
    return NewMessage(
        merchant_id=event.merchant_id,
        message_id=derived_uuid("message", event.merchant_id, template.name, cause),
        customer_id=said.customer_id,
        kind=template.name,
        cause=cause,
        template=template.name,
        variables={"tier": reference(said.to_tier) or "-", "former_tier": reference(said.from_tier) or "-"},
        created_at=event.time,
        not_after=event.time + template.useful_for,
        family=template.family,
    )
