"""What makes a sale sound: its money adds up, and its time is believable. Money is in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customers.purchases.errors import TotalMismatch
from kit import money

BELIEVED_BEFORE = timedelta(days=30)
BELIEVED_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something took effect. `implausible`: the till's time was not believed."""

    effective_at: datetime
    implausible: bool


def moment(occurred_at: datetime | None, received_at: datetime) -> Moment:
    """Return the till's time if it lies within 30 days before and 5 minutes after ours, else ours.

    None stands for a time that no calendar holds.
    """
    if occurred_at is not None and -BELIEVED_AFTER <= received_at - occurred_at <= BELIEVED_BEFORE:
        return Moment(occurred_at, False)
    return Moment(received_at, True)


def spread(nets: Sequence[int], discount: int) -> list[int]:
    """Return each line's part of a basket discount: in proportion to net, largest remainder, ties by order.

    Roundings (negative nets) take no part. Raises TOTAL_MISMATCH for a discount above what there is.
    """
    weights = [max(net, 0) for net in nets]
    if discount > sum(weights):
        raise TotalMismatch(f"the basket discounts are {discount}, more than the lines' {sum(weights)}")
    return money.allot(discount, weights)


def check_sum(nets: Sequence[int], total: int, tenders: Sequence[int]) -> None:
    """Raise TOTAL_MISMATCH unless Σ net after basket discounts = total = Σ tenders and total ≥ 0."""
    lines, paid = sum(nets), sum(tenders)
    if not (lines == total == paid and total >= 0):
        raise TotalMismatch(
            f"the lines add up to {lines}, the total is {total}, the tenders add up to {paid} (minor units); "
            "all three must be equal and not negative",
            lines=str(lines),
            total=str(total),
            tenders=str(paid),
        )


@dataclass(slots=True)
class Bought:
    """What a customer bought in some purchases: visits and spend count what is worth more than 0."""

    visits: int = 0
    spend: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, total: int, effective_at: datetime) -> None:
        """Count one purchase."""
        if total == 0:
            return
        self.visits += 1
        self.spend += total
        self.first_at = effective_at if self.first_at is None else min(self.first_at, effective_at)
        self.last_at = effective_at if self.last_at is None else max(self.last_at, effective_at)
