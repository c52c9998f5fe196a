"""What a program decides: points of a basket, worth of points, expiry. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import lcm

from kit.errors import DomainError
from kit.money import Currency, allot
from loyalty.programs.plugins import ONCE, Earned, EarningLine, EarningPlugin
from loyalty.tiers.plugins import TierPlugin


@dataclass(frozen=True, slots=True)
class Benefits:
    """What a tier gives; discount and multiplier in basis points."""

    discount_bp: int = 0
    multiplier_bp: int = ONCE
    priority: int = 0
    special_offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a basket; `net` in minor units, `counts` for GOODS and SERVICE."""

    line_id: str
    product_id: str
    categories: tuple[str, ...]
    thousandths: int
    net: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Program:
    """One immutable version; an absent or misconfigured plugin is the error that its use raises."""

    version: int
    effective_from: datetime
    currency: Currency
    earning: tuple[EarningPlugin, ...] | DomainError
    tier_plugin: TierPlugin | DomainError | None
    tiers: tuple[str, ...]
    benefits: tuple[Benefits, ...]
    point_value: int
    expiry_months: int
    excluded_tenders: frozenset[int]
    min_redeem_points: int
    max_offline_points: int
    expiry_notice_days: int

    def benefits_of(self, tier: str) -> Benefits:
        """Return what `tier` gives; a tier that this version does not have gives nothing."""
        return self.benefits[self.tiers.index(tier)] if tier in self.tiers else Benefits()

    def tier_decider(self) -> TierPlugin | None:
        """Return the tier plugin, None where the program has none; raise what is wrong with it."""
        if isinstance(self.tier_plugin, DomainError):
            raise self.tier_plugin
        return self.tier_plugin if self.tiers else None

    def expires_on(self, earned_on: date) -> date | None:
        """Return the last local day of points earned on a local day; None: they do not expire."""
        return add_months(earned_on, self.expiry_months) if self.expiry_months else None

    def points_for(self, amount: int) -> int:
        """Return the points that pay `amount` minor units: rounded up, so that the shop loses nothing."""
        return -(-amount // self.point_value) if self.point_value else 0

    def earn(self, lines: Sequence[Line], unearning: int, multiplier_bp: int) -> list[int]:
        """Return the points of each line; `unearning`: minor units paid by points and excluded tenders."""
        if isinstance(self.earning, DomainError):
            raise self.earning
        seen = [
            EarningLine(line.product_id, line.categories, line.thousandths, line.net, base)
            for line, base in zip(lines, bases(lines, unearning), strict=True)
        ]
        return points([plugin.earn(seen) for plugin in self.earning], len(lines), multiplier_bp)


def bases(lines: Sequence[Line], unearning: int) -> list[int]:
    """Return what of each line may earn: its net less its share of `unearning`, for GOODS and SERVICE.

    The share is allotted over all lines in proportion to net, a negative net (rounding) counting as 0.
    """
    shares = allot(unearning, [max(line.net, 0) for line in lines]) if unearning else [0] * len(lines)
    return [max(line.net - share, 0) if line.counts else 0 for line, share in zip(lines, shares, strict=True)]


def points(earned: Sequence[Earned], lines: int, multiplier_bp: int) -> list[int]:
    """Add the plugins' fractions, multiply, round down once, allot to lines by largest remainder."""
    if not earned:
        return [0] * lines
    whole = lcm(*(part.denominator for part in earned))
    weights = [0] * lines
    for part in earned:
        scale = whole // part.denominator
        for place, numerator in enumerate(part.numerators):
            weights[place] += numerator * scale
    return allot(sum(weights) * multiplier_bp // (whole * ONCE), weights)


def spend_of(lines: Sequence[Line]) -> int:
    """Return what a purchase counts for the tier: the net of GOODS and SERVICE lines, minor units."""
    return sum(line.net for line in lines if line.counts)


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, the last day of the month where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def in_force(programs: Sequence[Program], at: datetime) -> Program | None:
    """Return the version that decides at `at`: the latest effective_from, the higher version of two."""
    begun = [program for program in programs if program.effective_from <= at]
    return max(begun, key=lambda p: (p.effective_from, p.version), default=None)
