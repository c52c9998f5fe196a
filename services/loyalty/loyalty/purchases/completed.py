"""purchase-completed: a list of sales at a time, under the locks that the poll has taken."""

from __future__ import annotations

from collections.abc import Sequence

from kit.db import Conn
from kit.errors import DomainError
from kit.events import NotYet, Received
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Book
from loyalty.accounts.store import Key
from loyalty.programs.model import Program, spend_of
from loyalty.programs.store import Catalogue, Programs
from loyalty.purchases import store
from loyalty.purchases.decode import sale_from
from loyalty.purchases.model import Sale, book_sale
from loyalty.purchases.store import Named
from loyalty.purchases.writes import Writes, own
from loyalty.redemptions import store as redemptions
from loyalty.tiers import store as tiers
from loyalty.tiers.model import can_rise
from loyalty.tiers.plugins import TierFacts


class Completed:
    """Books sales."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def apply(self, conn: Conn, received: list[Received]) -> list[Exception | None]:
        """Book redemptions, earned points and tier. Refuses with NotYet what no program can decide."""
        refusals: list[Exception | None] = [None] * len(received)
        places = {n: sale_from(event.payload) for n, event in enumerate(received)}
        writes = Writes()
        for sale in places.values():
            if not sale.customer_id:
                writes.list_anonymous(sale)
        places = {n: sale for n, sale in places.items() if sale.customer_id}
        if places:
            await self._book(conn, places, writes, refusals)
        await writes.write(conn)
        return refusals

    async def _book(
        self, conn: Conn, places: dict[int, Sale], writes: Writes, refusals: list[Exception | None]
    ) -> None:
        ground = await store.ground_of(conn, list(places.values()))
        books, done = ground.books, ground.booked
        fresh: dict[int, Sale] = {}
        for n, sale in places.items():
            if _named(sale, books) not in done:
                done.add(_named(sale, books))
                fresh[n] = sale
        sales = list(fresh.values())
        catalogue = await self._programs.of(conn, sorted(ground.versions))
        seen = await _seen(conn, fresh, books, catalogue, refusals)
        late = [own(books[_key(sale)]) for sale in sales if _is_late(sale, books[_key(sale)])]
        changes = await tiers.changes_of(conn, late)
        paying = [sale for sale in sales if sale.points_tenders]
        writes.reservations = await redemptions.reservations_of(
            conn, {(s.merchant_id, t.reservation_id) for s in paying for t in s.points_tenders}
        )
        writes.stored = frozenset(writes.reservations)
        await accounts.load_lots(conn, {id(books[_key(s)]): books[_key(s)] for s in paying}.values())
        writes.books = list({id(book): book for book in books.values()}.values())
        for n, sale in fresh.items():
            if refusals[n] is not None:
                continue
            book, program = books[_key(sale)], catalogue.at(sale.merchant_id, sale.at)
            mine = {
                t.reservation_id: reservation
                for t in sale.points_tenders
                if (reservation := writes.reservations.get((sale.merchant_id, t.reservation_id)))
            }
            try:
                booked = book_sale(book, sale, program, mine, changes.get(own(book), ()), seen[n])
            except DomainError as error:
                refusals[n] = NotYet(error.message)
            else:
                writes.add(book, sale, booked)


def _key(sale: Sale) -> Key:
    return (sale.merchant_id, sale.customer_id)


def _named(sale: Sale, books: dict[Key, Book]) -> Named:
    return (*own(books[_key(sale)]), sale.purchase_id)


def _is_late(sale: Sale, book: Book) -> bool:
    since = book.account.tier_since
    return since is not None and sale.at < since


async def _seen(
    conn: Conn,
    fresh: dict[int, Sale],
    books: dict[Key, Book],
    catalogue: Catalogue,
    refusals: list[Exception | None],
) -> dict[int, list[TierFacts]]:
    """Return what counts for the tier after each sale; refuses those whose program cannot say.

    Looked at when the sale was made and, for one that comes late, at the customer's latest sale as well.
    """
    windows: list[tuple[int, tiers.Window]] = []
    seen: dict[int, list[TierFacts]] = {n: [] for n in fresh}
    for n, sale in fresh.items():
        account, program = books[_key(sale)].account, catalogue.at(sale.merchant_id, sale.at)
        if program is None or not can_rise(account, program, sale.at):
            continue
        try:
            windows += [(n, window) for window in _windows(sale, books[_key(sale)], program)]
        except DomainError as error:
            refusals[n] = NotYet(error.message)
    found = await tiers.facts(conn, [window for _, window in windows])
    # The sale itself counts, and those before it here of the same account (two ids of a merged customer).
    here: dict[Key, list[tuple[int, Sale]]] = {}
    for n, sale in fresh.items():
        here.setdefault(own(books[_key(sale)]), []).append((n, sale))
    for (n, window), facts in zip(windows, found, strict=True):
        counted = [s for place, s in here[window.key] if place <= n and window.holds(s.at)]
        spends = [max(spend_of(s.lines), 0) for s in counted]
        seen[n].append(TierFacts(facts.spend + sum(spends), facts.visits + sum(s > 0 for s in spends)))
    return seen


def _windows(sale: Sale, book: Book, program: Program) -> Sequence[tiers.Window]:
    latest = book.account.last_sale_at
    windows = [tiers.window(own(book), program, sale.at)]
    if latest is not None and latest > sale.at:
        windows.append(tiers.window(own(book), program, latest))
    return windows
