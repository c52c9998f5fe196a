"""What a sale and a return do to a customer's points and tier. Pure; mutates the Book given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from kit.money import Currency, share
from loyalty.accounts.expiry import expire, expired_here
from loyalty.accounts.model import Book, Cause
from loyalty.days import local_day
from loyalty.errors import ProgramCurrencyMismatch
from loyalty.programs.model import Line, Program, spend_of
from loyalty.redemptions.model import PointsTender, Redeemed, Redemption, Reservation, redeem
from loyalty.tiers.model import PLUGIN, TierChange, in_force_at, move, risen
from loyalty.tiers.plugins import TierFacts


@dataclass(frozen=True, slots=True)
class Sale:
    """A finished purchase; `at` is its effective time, `today` that day in its zone.

    `tenders` are the kinds (as types.v1 numbers them) and amounts of all that are not points.
    """

    merchant_id: str
    customer_id: str
    purchase_id: str
    currency: Currency
    time_zone: str
    at: datetime
    today: date
    lines: tuple[Line, ...]
    tenders: tuple[tuple[int, int], ...]
    points_tenders: tuple[PointsTender, ...]
    offline: bool

    def unearning(self, excluded: frozenset[int]) -> int:
        """Return what points and excluded tenders paid, minor units."""
        points = sum(tender.amount for tender in self.points_tenders)
        return points + sum(amount for kind, amount in self.tenders if kind in excluded)


@dataclass(slots=True)
class Purchase:
    """What is kept of a sale: what counts for the tier, the points of each line that are left.

    `expired`: points of its lot, entry_no, that the ledger says have expired; `spared`: how many of those
    returns have taken back, which undid their expiry.
    """

    purchase_id: str
    at: datetime
    spend: int
    spend_left: int
    points: int
    line_points: dict[str, int]
    entry_no: int
    tier: str
    multiplier_bp: int
    program_version: int
    expired: int = 0
    spared: int = 0


@dataclass(slots=True)
class Booked:
    """What a sale led to; `balance` after each step is what the events say."""

    purchase: Purchase
    redeemed: list[Redeemed] = field(default_factory=list)
    balance_redeemed: list[int] = field(default_factory=list)
    balance: int = 0
    expires_on: date | None = None
    tier_change: TierChange | None = None


def book_sale(
    book: Book,
    sale: Sale,
    program: Program | None,
    reservations: Mapping[str, Reservation],
    changes: Sequence[TierChange],
    seen: Sequence[TierFacts],
) -> Booked:
    """Book a sale: what it used, what it earns in the tier just before it, the tier after it.

    `seen`: what counts in the tier plugin's window, this sale included, at its time and, for a late one,
    at the customer's latest. Raises where the program cannot decide (plugin absent, other currency).
    """
    account = book.account
    if program is not None and program.currency != sale.currency:
        raise ProgramCurrencyMismatch(
            f"the program is in {program.currency}, the sale in {sale.currency}; set a program that fits"
        )
    tier = in_force_at(account, changes, sale.at, program)
    multiplier = program.benefits_of(tier).multiplier_bp if program else 0
    spend = max(spend_of(sale.lines), 0)
    purchase = Purchase(
        sale.purchase_id, sale.at, spend, spend, 0, {}, 0, tier, multiplier, program.version if program else 0
    )
    booked = Booked(purchase)
    lines = program.earn(sale.lines, sale.unearning(program.excluded_tenders), multiplier) if program else []
    to_tier = risen(account, program, seen, sale.at) if program else account.tier
    # Nothing above has changed the book, and nothing below raises: a refused sale leaves no trace.
    for tender in sale.points_tenders:
        before = reservations.get(tender.reservation_id)
        used = redeem(
            book, tender, before, program, sale.purchase_id, sale.at, sale.today, offline=sale.offline
        )
        booked.redeemed.append(used)
        booked.balance_redeemed.append(account.balance)
    purchase.points = sum(lines)
    if program is not None and purchase.points:
        purchase.line_points = {
            line.line_id: points for line, points in zip(sale.lines, lines, strict=True) if points
        }
        booked.expires_on = program.expires_on(sale.today)
        cause = Cause("PURCHASE", sale.purchase_id, "", sale.purchase_id)
        purchase.entry_no = book.give(
            "EARN", purchase.points, cause, booked.expires_on, program.version, sale.at
        ).entry_no
    booked.tier_change = move(account, to_tier, PLUGIN, sale.purchase_id, sale.at)
    if account.last_sale_at is None or sale.at > account.last_sale_at:
        account.last_sale_at = sale.at
    book.changed = True
    booked.balance = account.balance
    return booked


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """A line, or a part of it, that came back; amounts in minor units."""

    line_id: str
    amount: int
    left_before: int
    counts: bool
    exhausts: bool


@dataclass(frozen=True, slots=True)
class PointsRefund:
    """What a points tender is refunded, minor units."""

    tender_id: str
    amount: int
    left_before: int


@dataclass(frozen=True, slots=True)
class Return:
    """A return as customers split it; `today` is its effective day in its zone."""

    merchant_id: str
    customer_id: str
    return_id: str
    purchase_id: str
    at: datetime
    today: date
    lines: tuple[ReturnedLine, ...]
    refunds: tuple[PointsRefund, ...]


@dataclass(frozen=True, slots=True)
class BookedReturn:
    """What a return took back and restored, points."""

    taken_back: int
    restored: int


def book_return(
    book: Book, back: Return, purchase: Purchase, redemptions: Mapping[str, Redemption]
) -> BookedReturn:
    """Take earned points back and give used points back, in proportion to what is left; mutates all.

    What had lapsed by the return's day expires first, as it has when the daily sweep came before. What is
    taken back is set against what has expired of the purchase's own lot.
    """
    expire(book, local_day(back.at, book.account.time_zone), back.return_id)
    expired = purchase.expired + expired_here(book, purchase.entry_no)
    taken_back = 0
    for line in back.lines:
        left = purchase.line_points.get(line.line_id, 0)
        points = left if line.exhausts else min(left, share(left, line.amount, line.left_before))
        if points:
            purchase.line_points[line.line_id] = left - points
            taken_back += points
            cause = Cause("RETURN", back.return_id, line.line_id, back.purchase_id)
            version, gone = purchase.program_version, expired - purchase.spared
            purchase.spared += book.take_back(
                points, gone, cause, version, back.at, purchase.entry_no, back.today
            )
        if line.counts:
            purchase.spend_left = max(purchase.spend_left - line.amount, 0)
    restored = 0
    for refund in back.refunds:
        used = redemptions.get(refund.tender_id)
        points = min(used.left, share(used.left, refund.amount, refund.left_before)) if used else 0
        if used is None or not points:
            continue
        used.left -= points
        restored += points
        cause = Cause("RETURN", back.return_id, refund.tender_id, back.purchase_id)
        book.restore(points, used.sources, cause, used.expires_on, used.program_version, back.at, back.today)
    book.changed = True
    return BookedReturn(taken_back, restored)
