"""purchase-returned: a list of returns at a time, under the locks that the poll has taken."""

from __future__ import annotations

from kit.db import Conn
from kit.events import NotYet, Received
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Book
from loyalty.accounts.store import Key
from loyalty.days import local_day
from loyalty.purchases import store
from loyalty.purchases.decode import return_from
from loyalty.purchases.model import Return, book_return
from loyalty.purchases.store import KeptPurchase, KeptReturn, Named
from loyalty.purchases.writes import count_points, own
from loyalty.redemptions import store as redemptions
from loyalty.redemptions.model import Redemption
from loyalty.redemptions.store import Kept


async def apply(conn: Conn, received: list[Received]) -> list[Exception | None]:
    """Take earned points back and restore used ones. NotYet before the sale has been heard of."""
    refusals: list[Exception | None] = [None] * len(received)
    places = {n: return_from(event.payload) for n, event in enumerate(received)}
    places = {n: back for n, back in places.items() if back.customer_id}
    if not places:
        return refusals
    books = await accounts.load(conn, {_key(back) for back in places.values()})
    done = await store.known_returns(conn, [_named(b, books, b.return_id) for b in places.values()])
    fresh: dict[int, Return] = {}
    for n, back in places.items():
        name = _named(back, books, back.return_id)
        if name not in done:
            done.add(name)
            fresh[n] = back
    bought = [_named(back, books, back.purchase_id) for back in fresh.values()]
    purchases = await store.purchases_of(conn, bought)
    used = await redemptions.redemptions_of(
        conn, [name for name, back in zip(bought, fresh.values(), strict=True) if back.refunds]
    )
    await _load_lots(conn, fresh, books, used)
    made: list[KeptReturn] = []
    for (n, back), name in zip(fresh.items(), bought, strict=True):
        if name not in purchases:
            refusals[n] = NotYet(f"purchase {back.purchase_id} has not been heard of")
            continue
        book = books[_key(back)]
        booked = book_return(book, back, purchases[name], used.get(name, {}))
        made.append(KeptReturn(book.account.customer_id, back, booked))
    await store.insert_returns(conn, made)
    await store.update_purchases(conn, [KeptPurchase(n[0], n[1], p) for n, p in purchases.items()])
    await redemptions.update_redemptions(
        conn, [Kept(n[0], n[1], r) for n, by_tender in used.items() for r in by_tender.values()]
    )
    await accounts.write(conn, books.values())
    count_points(list({id(book): book for book in books.values()}.values()))
    return refusals


async def _load_lots(
    conn: Conn,
    fresh: dict[int, Return],
    books: dict[Key, Book],
    used: dict[Named, dict[str, Redemption]],
) -> None:
    """Load the open lots, what keeps those past their last day, and the lots that used points go back to."""
    await accounts.load_lots(conn, {id(book): book for book in books.values()}.values())
    past = [
        book
        for back in fresh.values()
        for book in [books[_key(back)]]
        if any(lot.is_past(local_day(back.at, book.account.time_zone)) for lot in book.lots.values())
    ]
    await accounts.load_holds(conn, past)
    sources = [
        (books[_key(back)], source.entry_no)
        for back in fresh.values()
        for redemption in used.get(_named(back, books, back.purchase_id), {}).values()
        for source in redemption.sources
    ]
    await accounts.load_named_lots(conn, sources)


def _key(back: Return) -> Key:
    return (back.merchant_id, back.customer_id)


def _named(back: Return, books: dict[Key, Book], id_: str) -> Named:
    return (*own(books[_key(back)]), id_)
