"""Points: what purchases earn, returns take back, redemptions use; and the tier by rolling spend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from local.demo.baskets import GOODS, SERVICE, Line
from local.demo.journal import POINTS, VOUCHER, SaleDone
from local.demo.oracle.returns import Split

STEP = 1_000
POINT_WORTH = 10
WINDOW_DAYS = 365
DAY = 86_400
# name, least spend in the window (rupiah), multiplier (basis points); by rising threshold
TIERS = (
    ("New", 0, 10_000),
    ("Regular", 2_000_000, 11_000),
    ("VIP", 12_000_000, 12_500),
    ("Premium", 30_000_000, 15_000),
)
EARN, REDEEM, TAKE_BACK, RESTORE = "EARN", "REDEEM", "TAKE_BACK", "RESTORE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of points; positive adds. `about` is the line or the tender, where it is about one."""

    effect: str
    cause_id: str
    about: str
    points: int


@dataclass(slots=True)
class Earned:
    """What is left of one purchase: points per line, points of its tender, spend of the counting lines."""

    at: int
    lines: dict[str, int]
    counting: frozenset[str]
    spend: int
    tender_id: str = ""
    redeemed: int = 0


@dataclass(slots=True)
class PointsBook:
    """The points of one customer."""

    entries: list[Entry] = field(default_factory=list)
    tiers: list[str] = field(default_factory=lambda: [TIERS[0][0]])
    balance: int = 0
    purchases: dict[str, Earned] = field(default_factory=dict)

    def sell(self, sale: SaleDone, lines: Sequence[Line]) -> None:
        """Book a purchase: what it used, then what it earns in the tier before it."""
        counting = [line for line in lines if line.product.kind in (GOODS, SERVICE)]
        spend = sum(line.net for line in counting)
        earned = Earned(sale.at, {}, frozenset(line.line_id for line in counting), spend)
        for tender in sale.tenders:
            if tender.kind == POINTS:
                earned.tender_id, earned.redeemed = tender.tender_id, tender.points
                self._enter(REDEEM, sale.purchase_id, tender.tender_id, -tender.points)
        unearning = sum(tender.amount for tender in sale.tenders if tender.kind in (POINTS, VOUCHER))
        earned.lines = points_of(lines, unearning, multiplier(self.tiers[-1]))
        self.purchases[sale.purchase_id] = earned
        self._enter(EARN, sale.purchase_id, "", sum(earned.lines.values()))
        self._rise(sale.at)

    def give_back(self, purchase_id: str, split: Split) -> None:
        """Book a return: earned points go, used points come back."""
        earned = self.purchases[purchase_id]
        for line in split.lines:
            left = earned.lines.get(line.line_id, 0)
            points = left * line.amount // line.left_before if line.left_before else 0
            earned.lines[line.line_id] = left - points
            if line.line_id in earned.counting:
                earned.spend -= line.amount
            self._enter(TAKE_BACK, split.return_id, line.line_id, -points)
        for refund in split.refunds:
            if refund.tender_id == earned.tender_id:
                back = earned.redeemed * refund.amount // refund.left_before
                earned.redeemed -= back
                self._enter(RESTORE, split.return_id, refund.tender_id, back)

    def _enter(self, effect: str, cause_id: str, about: str, points: int) -> None:
        if points:
            self.entries.append(Entry(effect, cause_id, about, points))
            self.balance += points

    def _rise(self, at: int) -> None:
        since = at - WINDOW_DAYS * DAY
        spent = sum(one.spend for one in self.purchases.values() if one.at > since)
        name = [name for name, least, _ in TIERS if spent >= least][-1]
        order = [name for name, _, _ in TIERS]
        if order.index(name) > order.index(self.tiers[-1]):
            self.tiers.append(name)


def multiplier(tier: str) -> int:
    """Give a tier's multiplier in basis points."""
    return next(basis for name, _, basis in TIERS if name == tier)


def points_of(lines: Sequence[Line], unearning: int, basis_points: int) -> dict[str, int]:
    """Give the points of each line; `unearning` is what points and excluded tenders paid, rupiah."""
    without = largest_remainder(unearning, [line.net for line in lines])
    bases = [
        line.net - share if line.product.kind in (GOODS, SERVICE) else 0
        for line, share in zip(lines, without, strict=True)
    ]
    points = sum(bases) * basis_points // (10_000 * STEP)
    allotted = largest_remainder(points, bases)
    return {line.line_id: share for line, share in zip(lines, allotted, strict=True)}


def largest_remainder(whole: int, weights: Iterable[int]) -> list[int]:
    """Split a whole by weights: floors, then one unit each to the largest remainders, ties by order."""
    weights = list(weights)
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(whole * weights[at] % total))
    for position in by_remainder[: whole - sum(parts)]:
        parts[position] += 1
    return parts
