"""What a list of sales leads to, gathered so that each table is written once."""

from __future__ import annotations

from dataclasses import dataclass, field

from kit import events
from kit.counts import count
from kit.db import Conn
from kit.events import Outgoing
from kit.ids import derived_uuid
from loyalty import metrics
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Book
from loyalty.accounts.store import Key
from loyalty.events import TOPIC, points_earned, points_redeemed
from loyalty.purchases import store
from loyalty.purchases.model import Booked, Sale
from loyalty.purchases.store import KeptPurchase
from loyalty.redemptions import store as redemptions
from loyalty.redemptions.model import UNAUTHORISED, Marked, Redemption, Reservation
from loyalty.redemptions.store import Kept, Listed
from loyalty.tiers import store as tiers
from loyalty.tiers.model import TierChange


def own(book: Book) -> Key:
    """Return whose book it is: the survivor of a merged customer."""
    return (book.account.merchant_id, book.account.customer_id)


def count_points(books: list[Book]) -> None:
    """Count what these books appended."""
    for book in books:
        for entry in book.entries:
            count(metrics.POINTS.labels(entry.kind), abs(entry.points))


@dataclass(slots=True)
class Writes:
    """Gathered rows and events; `reservations` as they are now, `stored` those that the table has."""

    books: list[Book] = field(default_factory=list)
    reservations: dict[tuple[str, str], Reservation] = field(default_factory=dict)
    stored: frozenset[tuple[str, str]] = frozenset()
    used: set[tuple[str, str]] = field(default_factory=set)
    purchases: list[KeptPurchase] = field(default_factory=list)
    redemptions: list[Kept] = field(default_factory=list)
    exceptions: list[Listed] = field(default_factory=list)
    changes: list[TierChange] = field(default_factory=list)
    events: list[Outgoing] = field(default_factory=list)

    def add(self, book: Book, sale: Sale, booked: Booked) -> None:
        """Gather what a sale led to."""
        merchant_id, customer_id = own(book)
        _fill(book, sale)
        self.purchases.append(KeptPurchase(merchant_id, customer_id, booked.purchase))
        for used, balance in zip(booked.redeemed, booked.balance_redeemed, strict=True):
            if used.reservation is not None:
                key = (merchant_id, used.reservation.reservation_id)
                self.reservations[key] = used.reservation
                self.used.add(key)
            if used.marked is not None:
                self.exceptions.append(_listed(sale, customer_id, used.marked))
            if used.redemption is not None:
                self.redemptions.append(Kept(merchant_id, customer_id, used.redemption))
                self.events.append(_redeemed(book, sale, used.redemption, balance))
        if booked.purchase.points:
            self.events.append(_earned(book, sale, booked))
        if booked.tier_change is not None:
            self.changes.append(booked.tier_change)
            self.events.append(tiers.event_of(booked.tier_change))

    def list_anonymous(self, sale: Sale) -> None:
        """List the points tenders of an anonymous sale: nobody's points can be taken, staff must know."""
        for tender in sale.points_tenders:
            exception_id = derived_uuid("redemption", sale.merchant_id, sale.purchase_id, tender.tender_id)
            marked = Marked(
                exception_id, UNAUTHORISED, tender.tender_id, tender.reservation_id, 0, tender.amount
            )
            self.exceptions.append(_listed(sale, "", marked))

    async def write(self, conn: Conn) -> None:
        """Write all of it, events last; only reservations that were used: others may be another's."""
        fresh = [self.reservations[key] for key in sorted(self.used - self.stored)]
        await redemptions.insert(conn, fresh)
        await redemptions.update(conn, [self.reservations[key] for key in sorted(self.used & self.stored)])
        await store.insert_purchases(conn, self.purchases)
        await redemptions.insert_redemptions(conn, self.redemptions)
        await redemptions.insert_exceptions(conn, self.exceptions)
        await tiers.append(conn, self.changes)
        await accounts.write(conn, self.books)
        await events.publish(conn, TOPIC, self.events)
        count_points(self.books)


def _fill(book: Book, sale: Sale) -> None:
    """An account that a request opened learns currency and zone from the first sale."""
    account = book.account
    if not account.currency_code:
        account.currency_code, account.minor_digits = sale.currency.code, sale.currency.digits
    account.time_zone = account.time_zone or sale.time_zone


def _listed(sale: Sale, customer_id: str, marked: Marked) -> Listed:
    currency = sale.currency
    return Listed(
        sale.merchant_id, customer_id, sale.purchase_id, currency.code, currency.digits, sale.at, marked
    )


def _redeemed(book: Book, sale: Sale, used: Redemption, balance: int) -> Outgoing:
    return points_redeemed(
        *own(book), sale.purchase_id, used.reservation_id, used.points, used.value, balance, sale.at
    )


def _earned(book: Book, sale: Sale, booked: Booked) -> Outgoing:
    points, version = booked.purchase.points, booked.purchase.program_version
    return points_earned(
        *own(book), sale.purchase_id, points, booked.balance, booked.expires_on, version, sale.at
    )
