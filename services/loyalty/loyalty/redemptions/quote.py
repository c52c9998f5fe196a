"""What points and tier are worth for a basket. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.accounts.model import Account
from loyalty.programs.model import Benefits, Line, Program, spend_of
from loyalty.programs.plugins import ONCE
from loyalty.tiers.model import first_tier


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer to a quote; money in minor units."""

    tier: str
    benefits: Benefits
    discount: int
    active: int
    usable: int
    usable_value: int
    to_earn: int


def quote(account: Account, active: int, program: Program, lines: Sequence[Line], use_points: int) -> Quote:
    """Return what `account` could do with a basket, and what it would earn using `use_points`.

    `active`: the points that it could reserve now.
    """
    tier = first_tier(account, program)
    benefits = program.benefits_of(tier)
    total = max(sum(line.net for line in lines), 0)
    erased = account.erased_at is not None
    active = 0 if erased else active
    # Whole points only, so that what they are worth never exceeds the basket.
    usable = min(active, total // program.point_value) if program.point_value else 0
    if usable < program.min_redeem_points:
        usable = 0
    paid = min(use_points * program.point_value, total)
    return Quote(
        tier=tier,
        benefits=benefits,
        discount=max(spend_of(lines), 0) * benefits.discount_bp // ONCE,
        active=active,
        usable=usable,
        usable_value=usable * program.point_value,
        to_earn=sum(program.earn(lines, paid, benefits.multiplier_bp)),
    )
