"""What an allowance covers, what each sale and hold takes of it, and what lies beyond."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from credit.accounts.model import Key
from credit.invoices.model import Mark, Verdict
from kit.money import Currency


class AllowanceKey(NamedTuple):
    """What names an allowance."""

    merchant_id: str
    allowance_id: str


class Kind(StrEnum):
    """What takes from an allowance: a sale's tender, by its invoice, or a hold that was handed in."""

    SALE = "SALE"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a store's tills may sell blind, minor units; customer_limit None: one customer may take all of it.

    `used` is what was taken of it, `over` what was sold beyond.
    """

    merchant_id: str
    allowance_id: str
    store_id: str
    currency: Currency
    time_zone: str
    amount: int
    customer_limit: int | None
    valid_from: datetime
    valid_until: datetime
    granted_at: datetime
    staff_ref: str = ""
    used: int = 0
    over: int = 0
    ended_at: datetime | None = None
    ended_by: str = ""

    @property
    def key(self) -> AllowanceKey:
        """What names it."""
        return AllowanceKey(self.merchant_id, self.allowance_id)

    @property
    def ends_at(self) -> datetime:
        """From when on nothing that is sold is covered any more."""
        return self.valid_until if self.ended_at is None else min(self.valid_until, self.ended_at)

    def covers(self, at: datetime) -> bool:
        """Whether it covers what is sold at `at`."""
        return self.valid_from <= at < self.ends_at

    def left(self, at: datetime) -> int:
        """What is left of it for what is sold from `at` on."""
        return self.amount - self.used if at < self.ends_at else 0


@dataclass(frozen=True, slots=True)
class Sold:
    """What a till without a line sold or promised on account, minor units; `at` is its business time.

    `use_id` is the invoice's or the hold's id. `opened`: staff opened the customer's account.
    """

    key: Key
    use_id: str
    kind: Kind
    store_id: str
    amount: int
    currency: Currency
    at: datetime
    opened: bool


@dataclass(frozen=True, slots=True)
class Use:
    """What one sale or hold took of an allowance, minor units: `amount` less `excess`, which lay beyond."""

    key: Key
    use_id: str
    allowance_id: str
    kind: Kind
    amount: int
    excess: int
    used_at: datetime
    mark: Mark | None

    @property
    def taken(self) -> int:
        """What it took."""
        return self.amount - self.excess


def take(allowance: Allowance, sold: Sold, by_customer: int) -> tuple[Use, Allowance]:
    """Take what is sold from a locked allowance; `by_customer`: what its customer has taken of it before.

    Each takes what is left for it, and no more, so that whatever comes first the same is taken in all, as
    long as nothing is given back in between.
    """
    assert allowance.currency == sold.currency, "an allowance of another currency allows nothing"
    fits = 0
    if sold.store_id == allowance.store_id and allowance.covers(sold.at):
        left = allowance.amount - allowance.used
        if allowance.customer_limit is not None:
            # Two customers who turned out to be one may have taken more.
            left = min(left, max(0, allowance.customer_limit - by_customer))
        fits = min(sold.amount, left)
    excess = sold.amount - fits
    mark = Mark.UNAUTHORISED if not sold.opened else Mark.OVER_ALLOWANCE if excess else None
    use = Use(
        key=sold.key,
        use_id=sold.use_id,
        allowance_id=allowance.allowance_id,
        kind=sold.kind,
        amount=sold.amount,
        excess=excess,
        used_at=sold.at,
        mark=mark,
    )
    return use, replace(allowance, used=allowance.used + fits, over=allowance.over + excess)


def marks(use: Use | None, verdict: Verdict, tendered: int) -> list[tuple[Mark, int]]:
    """Return all that is amiss with a tender, the gravest first: with its hold, and with what the hold took.

    `use` is None where its hold took nothing from an allowance.
    """
    of_hold = [(verdict.mark, verdict.excess)] if verdict.mark is not None else []
    found = amiss(use, tendered) if use is not None and verdict.captures else None
    if found is None:
        return of_hold
    return [found] if found[0] is Mark.UNAUTHORISED else [*of_hold, found]


def amiss(use: Use, tendered: int) -> tuple[Mark, int] | None:
    """Return what is amiss with a tender that comes under a use, and by how much; None: nothing.

    A sale may come to less than was promised: what was covered is put to it first. What it exceeds its hold
    by is the hold's affair.
    """
    match use.mark:
        case Mark.UNAUTHORISED:
            return Mark.UNAUTHORISED, tendered
        case Mark.OVER_ALLOWANCE if min(tendered, use.amount) > use.taken:
            return Mark.OVER_ALLOWANCE, min(tendered, use.amount) - use.taken
    return None
