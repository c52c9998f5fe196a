"""What a comparison found: sums of what the services hold, and every difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields


@dataclass
class Found:
    """What the services hold, summed, and where it is not what it must be."""

    differences: list[str] = field(default_factory=list)
    purchases: int = 0
    points_earned: int = 0
    points_redeemed: int = 0
    points_expired: int = 0
    points_active: int = 0
    invoices: int = 0
    outstanding: int = 0
    payments: int = 0
    returns: int = 0
    tier_changes: int = 0
    reservations_expired: int = 0
    holds_expired: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)  # by kind
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and reason
    mails: dict[str, int] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        """Add what another comparison found of other customers."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            match mine:
                case int():
                    setattr(self, one.name, mine + theirs)
                case list():
                    mine.extend(theirs)
                case _:  # a Counter adds, a dict takes over
                    mine.update(theirs)

    def check(self, customer: str, what: str, must: object, is_: object) -> None:
        """Note a difference unless both are the same."""
        if must != is_:
            self.differences.append(f"{customer or 'anonymous'}: {what} must be {must!r} and is {is_!r}")

    def check_each(
        self, customer: str, what: str, must: Mapping[str, object], is_: Mapping[str, object]
    ) -> None:
        """Note a difference for each name that is not the same in both."""
        for name in sorted(must.keys() | is_.keys()):
            self.check(customer, f"{what} {name}", must.get(name), is_.get(name))
