"""purchase-completed and purchase-returned: a list at a time, under the locks that the poll has taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kit import events
from kit.db import Conn
from kit.errors import DomainError
from kit.events import NotYet, Outgoing, Received
from kit.ids import derived_uuid
from loyalty import metrics
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Book
from loyalty.accounts.store import Key
from loyalty.events import TOPIC, points_earned, points_redeemed
from loyalty.programs.model import Program, spend_of
from loyalty.programs.store import Catalogue, Programs
from loyalty.purchases import store
from loyalty.purchases.decode import return_from, sale_from
from loyalty.purchases.model import Booked, Return, Sale, book_return, book_sale
from loyalty.purchases.store import KeptPurchase, KeptReturn, Named
from loyalty.redemptions import store as redemptions
from loyalty.redemptions.model import UNAUTHORISED, Marked
from loyalty.redemptions.store import Kept, Listed
from loyalty.tiers import store as tiers
from loyalty.tiers.model import TierChange
from loyalty.tiers.plugins import TierFacts

Refusals = list[Exception | None]


@dataclass(slots=True)
class _Writes:
    """What a list of sales leads to, gathered so that each table is written once."""

    purchases: list[KeptPurchase] = field(default_factory=list)
    redemptions: list[Kept] = field(default_factory=list)
    exceptions: list[Listed] = field(default_factory=list)
    changes: list[TierChange] = field(default_factory=list)
    events: list[Outgoing] = field(default_factory=list)


class PurchaseHandlers:
    """Books sales and returns."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def completed(self, conn: Conn, received: list[Received]) -> Refusals:
        """Book sales: redemptions, earned points, tier. Refuses with NotYet what no program can decide."""
        sales = [sale_from(event.payload) for event in received]
        named = [sale for sale in sales if sale.customer_id]
        books = await accounts.load(conn, {(sale.merchant_id, sale.customer_id) for sale in named})
        done = await store.known_purchases(conn, [_named(sale, books) for sale in named]) if named else set()
        fresh = [sale for sale in named if _named(sale, books) not in done]
        catalogue = await self._programs.catalogue(conn, {sale.merchant_id for sale in fresh})
        seen, refused = await _seen(conn, fresh, books, catalogue)
        late = [_own(books[_key(sale)]) for sale in fresh if _is_late(sale, books[_key(sale)])]
        changes = await tiers.changes_of(conn, late)
        paying = [sale for sale in fresh if sale.points_tenders]
        known = await redemptions.reservations_of(
            conn, {(s.merchant_id, t.reservation_id) for s in paying for t in s.points_tenders}
        )
        await accounts.load_lots(conn, {id(books[_key(s)]): books[_key(s)] for s in paying}.values())
        writes = _Writes(exceptions=[e for sale in sales if not sale.customer_id for e in _anonymous(sale)])
        stored = set(known)
        for sale in fresh:
            if sale.purchase_id in refused or _named(sale, books) in done:
                continue
            done.add(_named(sale, books))
            book = books[_key(sale)]
            program = catalogue.at(sale.merchant_id, sale.at)
            mine = {id_: r for (merchant, id_), r in known.items() if merchant == sale.merchant_id}
            try:
                booked = book_sale(
                    book, sale, program, mine, changes.get(_own(book), ()), seen[sale.purchase_id]
                )
            except DomainError as error:
                refused[sale.purchase_id] = NotYet(error.message)
                continue
            for used in booked.redeemed:
                if used.reservation is not None:
                    known[sale.merchant_id, used.reservation.reservation_id] = used.reservation
            _fill(book, sale)
            _gather(writes, book, sale, booked)
        await redemptions.insert(conn, [r for key, r in known.items() if key not in stored])
        await redemptions.update(conn, [r for key, r in known.items() if key in stored])
        await self._write(conn, books, writes)
        return [refused.get(sale.purchase_id) for sale in sales]

    @staticmethod
    async def _write(conn: Conn, books: dict[Key, Book], writes: _Writes) -> None:
        await store.insert_purchases(conn, writes.purchases)
        await redemptions.insert_redemptions(conn, writes.redemptions)
        await redemptions.insert_exceptions(conn, writes.exceptions)
        await tiers.append(conn, writes.changes)
        await accounts.write(conn, books.values())
        await events.publish(conn, TOPIC, writes.events)
        _count(books)

    async def returned(self, conn: Conn, received: list[Received]) -> Refusals:
        """Book returns: earned points taken back, used points restored. NotYet before the sale."""
        returns = [return_from(event.payload) for event in received]
        named = [back for back in returns if back.customer_id]
        refusals: dict[str, Exception] = {}
        if not named:
            return []
        books = await accounts.load(conn, {(back.merchant_id, back.customer_id) for back in named})
        done = await store.known_returns(conn, [_named_return(back, books) for back in named])
        fresh = [back for back in named if _named_return(back, books) not in done]
        bought = [_purchase_named(back, books) for back in fresh]
        purchases = await store.purchases_of(conn, bought)
        used = await redemptions.redemptions_of(
            conn, [n for n, b in zip(bought, fresh, strict=True) if b.refunds]
        )
        await accounts.load_lots(conn, {id(b): b for b in books.values()}.values())
        await accounts.load_named_lots(
            conn,
            [
                (books[_key(back)], source.entry_no)
                for name, back in zip(bought, fresh, strict=True)
                for redemption in used.get(name, {}).values()
                for source in redemption.sources
            ],
        )
        made: list[KeptReturn] = []
        for name, back in zip(bought, fresh, strict=True):
            if name not in purchases:
                refusals[back.return_id] = NotYet(f"purchase {back.purchase_id} has not been heard of")
            elif _named_return(back, books) not in done:
                done.add(_named_return(back, books))
                book = books[_key(back)]
                booked = book_return(book, back, purchases[name], used.get(name, {}))
                made.append(KeptReturn(book.account.customer_id, back, booked))
        await store.insert_returns(conn, made)
        await store.update_purchases(conn, [KeptPurchase(n[0], n[1], p) for n, p in purchases.items()])
        await redemptions.update_redemptions(
            conn, [Kept(n[0], n[1], r) for n, by_tender in used.items() for r in by_tender.values()]
        )
        await accounts.write(conn, books.values())
        _count(books)
        return [refusals.get(back.return_id) for back in returns]


def _key(fact: Sale | Return) -> Key:
    return (fact.merchant_id, fact.customer_id)


def _own(book: Book) -> Key:
    return (book.account.merchant_id, book.account.customer_id)


def _named(sale: Sale, books: dict[Key, Book]) -> Named:
    return (*_own(books[_key(sale)]), sale.purchase_id)


def _named_return(back: Return, books: dict[Key, Book]) -> Named:
    return (*_own(books[_key(back)]), back.return_id)


def _purchase_named(back: Return, books: dict[Key, Book]) -> Named:
    return (*_own(books[_key(back)]), back.purchase_id)


def _is_late(sale: Sale, book: Book) -> bool:
    since = book.account.tier_since
    return since is not None and sale.at < since


async def _seen(
    conn: Conn, sales: Sequence[Sale], books: dict[Key, Book], catalogue: Catalogue
) -> tuple[dict[str, list[TierFacts]], dict[str, Exception]]:
    """Return what counts for the tier after each sale, and the sales whose program cannot say.

    Looked at when the sale was made and, for one that comes late, at the customer's latest sale as well.
    """
    windows: list[tuple[Sale, tiers.Window]] = []
    refused: dict[str, Exception] = {}
    for sale in sales:
        program = catalogue.at(sale.merchant_id, sale.at)
        if program is None or not program.tiers:
            continue
        try:
            windows += [(sale, window) for window in _windows(sale, books[_key(sale)], program)]
        except DomainError as error:
            refused[sale.purchase_id] = NotYet(error.message)
    found = await tiers.facts(conn, [window for _, window in windows])
    seen: dict[str, list[TierFacts]] = {sale.purchase_id: [] for sale in sales}
    for (sale, window), facts in zip(windows, found, strict=True):
        # Sales of one account in this very list, two customers that were merged, count for each other.
        for other in sales:
            same = other is sale or (len(books) != len(sales) and books[_key(other)] is books[_key(sale)])
            if same and window.since < other.at <= window.until:
                spend = max(spend_of(other.lines), 0)
                facts = TierFacts(facts.spend + spend, facts.visits + (spend > 0))
        seen[sale.purchase_id].append(facts)
    return seen, refused


def _windows(sale: Sale, book: Book, program: Program) -> list[tiers.Window]:
    latest = book.account.last_sale_at
    windows = [tiers.window(_own(book), program, sale.at)]
    if latest is not None and latest > sale.at:
        windows.append(tiers.window(_own(book), program, latest))
    return windows


def _fill(book: Book, sale: Sale) -> None:
    """An account that a request opened learns currency and zone from the first sale."""
    account = book.account
    if not account.currency_code:
        account.currency_code, account.minor_digits = sale.currency.code, sale.currency.digits
    account.time_zone = account.time_zone or sale.time_zone


def _gather(writes: _Writes, book: Book, sale: Sale, booked: Booked) -> None:
    merchant_id, customer_id = _own(book)
    writes.purchases.append(KeptPurchase(merchant_id, customer_id, booked.purchase))
    for used, balance in zip(booked.redeemed, booked.balance_redeemed, strict=True):
        if used.marked is not None:
            writes.exceptions.append(_listed(sale, customer_id, used.marked))
        if used.redemption is not None:
            redemption = used.redemption
            writes.redemptions.append(Kept(merchant_id, customer_id, redemption))
            writes.events.append(
                points_redeemed(
                    merchant_id,
                    customer_id,
                    sale.purchase_id,
                    redemption.reservation_id,
                    redemption.points,
                    redemption.value,
                    balance,
                    sale.at,
                )
            )
    if booked.purchase.points:
        points, version = booked.purchase.points, booked.purchase.program_version
        writes.events.append(
            points_earned(
                merchant_id,
                customer_id,
                sale.purchase_id,
                points,
                booked.balance,
                booked.expires_on,
                version,
                sale.at,
            )
        )
    if booked.tier_change is not None:
        writes.changes.append(booked.tier_change)
        writes.events.append(tiers.event_of(booked.tier_change))


def _listed(sale: Sale, customer_id: str, marked: Marked) -> Listed:
    return Listed(
        sale.merchant_id,
        customer_id,
        sale.purchase_id,
        sale.currency.code,
        sale.currency.digits,
        sale.at,
        marked,
    )


def _anonymous(sale: Sale) -> list[Listed]:
    """Points tenders of an anonymous sale: nobody's points can be taken, staff must know."""
    return [
        _listed(
            sale,
            "",
            Marked(
                derived_uuid("redemption", sale.merchant_id, sale.purchase_id, tender.tender_id),
                UNAUTHORISED,
                tender.tender_id,
                tender.reservation_id,
                0,
                tender.amount,
            ),
        )
        for tender in sale.points_tenders
    ]


def _count(books: dict[Key, Book]) -> None:
    for book in {id(book): book for book in books.values()}.values():
        for entry in book.entries:
            metrics.POINTS.labels(entry.kind).inc(abs(entry.points))
