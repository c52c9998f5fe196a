"""Points: what purchases earn, returns take back, redemptions use, days let expire; and the tier."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.demo.baskets import GOODS, SERVICE, Line
from local.demo.journal import POINTS, VOUCHER, PointsAsked, SaleDone
from local.demo.oracle import tiers
from local.demo.oracle.days import beginning, ending, local_date, months_later
from local.demo.oracle.earning import points_of
from local.demo.oracle.lots import Drawn, Lot, Purse
from local.demo.oracle.returns import Split
from local.demo.oracle.tiers import Standing, TierChange

POINT_WORTH = 10
EXPIRY_MONTHS = 3
NOTICE_DAYS = 14
RESERVED_FOR = 15 * 60  # seconds
EARN, REDEEM, TAKE_BACK, RESTORE, EXPIRE = "EARN", "REDEEM", "TAKE_BACK", "RESTORE", "EXPIRE"
DECLINED, HELD, REDEEMED, RELEASED, EXPIRED = "DECLINED", "HELD", "REDEEMED", "RELEASED", "EXPIRED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of points; positive adds. `about` is the line or the tender, where it is about one.

    `cause_id` is the purchase or the return; what expires has none, but the instant tells its day. With a
    return and positive points an EXPIRE undoes one: that return takes them back.
    """

    effect: str
    cause_id: str
    about: str
    points: int
    at: int


@dataclass(frozen=True, slots=True)
class Expiring:
    """The notice of one local date: points by the last day on which they can be used."""

    local_date: datetime.date
    points: dict[datetime.date, int]


@dataclass(slots=True)
class Earned:
    """What is left of one purchase: points per line, points of its tender, spend of the counting lines."""

    at: int
    lines: dict[str, int]
    counting: frozenset[str]
    spend: int
    lot: Lot | None = None
    tender_id: str = ""
    redeemed: int = 0
    drawn: list[Drawn] = field(default_factory=list)


@dataclass(slots=True)
class PointsBook:
    """The points of one customer; `zone` is the account's, sales and returns have their store's."""

    zone: str
    entries: list[Entry] = field(default_factory=list)
    purse: Purse = field(default_factory=Purse)
    standing: Standing = field(default_factory=Standing)
    purchases: dict[str, Earned] = field(default_factory=dict)
    notices: list[Expiring] = field(default_factory=list)
    reserved: dict[str, tuple[int, int]] = field(default_factory=dict)  # points, until when
    reservations: dict[str, str] = field(default_factory=dict)  # where each that was asked for stands
    swept: datetime.date = datetime.date.min

    def reserve(self, asked: PointsAsked, now: int) -> None:
        """Hold points for a sale that is about to come, unless it was declined or given back."""
        if not asked.approved or asked.released:
            self.reservations[asked.reservation_id] = RELEASED if asked.released else DECLINED
            return
        self.reservations[asked.reservation_id] = HELD
        self.reserved[asked.reservation_id] = (asked.points, now + RESERVED_FOR)
        self.purse.reserved += asked.points

    def sweep(self, now: int) -> tuple[Expiring | None, TierChange | None]:
        """Free reservations that nobody used; once a local day decide the tier, expire and give notice."""
        for reservation_id, (points, until) in list(self.reserved.items()):
            if until <= now:
                del self.reserved[reservation_id]
                self.reservations[reservation_id] = EXPIRED
                self.purse.free(points)
        today = local_date(now, self.zone)
        if today <= self.swept:
            return None, None
        self.swept = today
        begun = beginning(today, self.zone)
        change = self.standing.decide(self._spent(begun), today.isoformat(), begun)
        for points, last in self.purse.expire(today):
            self.entries.append(Entry(EXPIRE, "", "", -points, ending(last, self.zone)))
        named = self.purse.notice(today, NOTICE_DAYS)
        if not named:
            return None, change
        self.notices.append(Expiring(today, named))
        return self.notices[-1], change

    def sell(self, sale: SaleDone, lines: Sequence[Line], zone: str) -> TierChange | None:
        """Book a purchase: what it used, then what it earns in the tier before it."""
        counting = [line for line in lines if line.product.kind in (GOODS, SERVICE)]
        spend = sum(line.net for line in counting)
        earned = Earned(sale.at, {}, frozenset(line.line_id for line in counting), spend)
        for tender in sale.tenders:
            if tender.kind == POINTS:
                held, _ = self.reserved.pop(tender.reference, (0, 0))
                self.reservations[tender.reference] = REDEEMED
                self.purse.free(held)
                earned.tender_id, earned.redeemed = tender.tender_id, tender.points
                earned.drawn = self.purse.redeem(tender.points)
                self._enter(REDEEM, sale.purchase_id, tender.tender_id, -tender.points, sale.at)
        unearning = sum(tender.amount for tender in sale.tenders if tender.kind in (POINTS, VOUCHER))
        tier = self.standing.in_force(sale.at)
        earned.lines = points_of(lines, unearning, tiers.multiplier(tier))
        points = sum(earned.lines.values())
        if points:
            earned.lot = self.purse.give(points, months_later(local_date(sale.at, zone), EXPIRY_MONTHS))
        self._enter(EARN, sale.purchase_id, "", points, sale.at)
        self.purchases[sale.purchase_id] = earned
        return self.standing.rise(self._spent(sale.at), sale.purchase_id, sale.at)

    def give_back(self, purchase_id: str, split: Split, at: int, zone: str) -> None:
        """Book a return: earned points go, used points come back."""
        earned = self.purchases[purchase_id]
        for line in split.lines:
            left = earned.lines.get(line.line_id, 0)
            points = left * line.amount // line.left_before if line.left_before else 0
            earned.lines[line.line_id] = left - points
            if line.line_id in earned.counting:
                earned.spend -= line.amount
            expired = self.purse.take(points, earned.lot)
            self._enter(EXPIRE, split.return_id, line.line_id, expired, at)
            self._enter(TAKE_BACK, split.return_id, line.line_id, -points, at)
        for refund in split.refunds:
            if refund.tender_id == earned.tender_id:
                back = earned.redeemed * refund.amount // refund.left_before
                earned.redeemed -= back
                self.purse.restore(back, earned.drawn, local_date(at, zone))
                self._enter(RESTORE, split.return_id, refund.tender_id, back, at)

    def _enter(self, effect: str, cause_id: str, about: str, points: int, at: int) -> None:
        if points:
            self.entries.append(Entry(effect, cause_id, about, points, at))

    def _spent(self, at: int) -> int:
        """What was spent in the window that ends at an instant, less what came back of it."""
        since = at - tiers.WINDOW
        return sum(one.spend for one in self.purchases.values() if since < one.at <= at)
