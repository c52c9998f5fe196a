"""The only SQL of accounts: locking, loading and writing books, and what is asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from kit import db
from kit.db import Conn
from loyalty.accounts.model import Account, Book, Hold, Lot
from loyalty.days import begins, local_day

queries = db.load(__file__)
Key = tuple[str, str]
"""(merchant_id, customer_id)"""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a missing account is opened with; "" where it is not known."""

    merchant_id: str
    customer_id: str
    opened_at: datetime
    currency_code: str = ""
    minor_digits: int = 0
    time_zone: str = ""

    @property
    def key(self) -> Key:
        """Whose account."""
        return (self.merchant_id, self.customer_id)

    @property
    def day(self) -> date:
        """The local day: nothing has expired by then, so the daily sweep begins with the next."""
        return local_day(self.opened_at, self.time_zone)


def _columns(keys: Iterable[Key]) -> dict[str, list[str]]:
    ordered = sorted(keys)
    return {"merchant_ids": [k[0] for k in ordered], "customer_ids": [k[1] for k in ordered]}


async def aliases(conn: Conn, keys: Iterable[Key]) -> set[Key]:
    """Return who was merged into these customers."""
    rows = queries.aliases(conn, **_columns(keys))
    return {(row["merchant_id"], row["customer_id"]) async for row in rows}


async def clear_reasons(conn: Conn, keys: Iterable[Key]) -> None:
    """Empty what staff wrote with adjustments of erased customers; the accounts are locked."""
    await queries.clear_reasons(conn, **_columns(keys))


async def open_missing(conn: Conn, openings: Sequence[Opening]) -> None:
    """Open the accounts that are missing."""
    if openings:
        await queries.open_accounts(
            conn,
            merchant_ids=[o.merchant_id for o in openings],
            customer_ids=[o.customer_id for o in openings],
            currency_codes=[o.currency_code for o in openings],
            minor_digits=[o.minor_digits for o in openings],
            time_zones=[o.time_zone for o in openings],
            opened_ats=[o.opened_at for o in openings],
            swept_ons=[o.day for o in openings],
            day_ats=[begins(o.day + timedelta(days=1), o.time_zone) for o in openings],
        )


async def lock_all(conn: Conn, openings: Sequence[Opening], also: Iterable[Key] = ()) -> None:
    """Open what is missing and lock the accounts, survivors of aliases too, waiting for each.

    The account row is the lock of all that a customer has here. Survivors are locked after their aliases,
    and what is opened after what was there, so two transactions may wait for each other; Postgres breaks
    that and the transaction is run again. Nearly always all accounts are there: one round trip.
    """
    keys = {opening.key for opening in openings} | set(also)
    there = await _lock(conn, keys)
    missing = [opening for opening in openings if opening.key not in there]
    if missing:
        await open_missing(conn, missing)
        await _lock(conn, {opening.key for opening in missing})


async def _lock(conn: Conn, keys: set[Key]) -> set[Key]:
    """Lock accounts and the survivors of aliases in id order; return those that there are."""
    there: set[Key] = set()
    while keys:
        rows = [row async for row in queries.lock_accounts(conn, **_columns(keys))]
        there |= {(row["merchant_id"], row["customer_id"]) for row in rows}
        keys = {(r["merchant_id"], r["merged_into"]) for r in rows if r["merged_into"]} - there
    return there


async def lock_free(conn: Conn, openings: Sequence[Opening]) -> set[Key]:
    """Lock the accounts that nobody holds, opening the missing ones; return the keys that are locked."""
    wanted = {opening.key for opening in openings}
    locked = await _lock_free(conn, wanted)
    if locked != wanted:
        rows = queries.existing_accounts(conn, **_columns(wanted - locked))
        there = {(row["merchant_id"], row["customer_id"]) async for row in rows}
        missing = wanted - locked - there
        await open_missing(conn, [opening for opening in openings if opening.key in missing])
        if missing:
            locked |= await _lock_free(conn, missing)
    return locked


async def _lock_free(conn: Conn, keys: set[Key]) -> set[Key]:
    """Lock free accounts; an alias counts as locked when its survivor is locked as well."""
    rows = [row async for row in queries.lock_free_accounts(conn, **_columns(keys))]
    locked = {(row["merchant_id"], row["customer_id"]) for row in rows}
    survivors = {(r["merchant_id"], r["merged_into"]) for r in rows if r["merged_into"]} - locked
    if survivors:
        more = queries.lock_free_accounts(conn, **_columns(survivors))
        held = {(row["merchant_id"], row["customer_id"]) async for row in more} | locked
        locked -= {
            (r["merchant_id"], r["customer_id"])
            for r in rows
            if r["merged_into"] and (r["merchant_id"], r["merged_into"]) not in held
        }
    return locked


def account_from(row: Mapping[str, Any]) -> Account:
    """Return the account of a row."""
    return Account(
        merchant_id=row["merchant_id"],
        customer_id=row["customer_id"],
        currency_code=row["currency_code"],
        minor_digits=row["minor_digits"],
        time_zone=row["time_zone"],
        in_lots=row["in_lots"],
        reserved=row["reserved"],
        negative=row["negative"],
        last_entry=row["last_entry"],
        tier=row["tier"],
        tier_since=row["tier_since"],
        tier_revision=row["tier_revision"],
        pinned=row["pinned"],
        pinned_until=row["pinned_until"],
        last_sale_at=row["last_sale_at"],
        merged_into=row["merged_into"],
        erased_at=row["erased_at"],
        opened_at=row["opened_at"],
        swept_on=row["swept_on"],
    )


async def load(conn: Conn, keys: Iterable[Key]) -> dict[Key, Book]:
    """Return the books behind these customers; an alias and its survivor share one. Lock first."""
    shared: dict[Key, Book] = {}
    found: dict[Key, Book] = {}
    async for row in queries.load_accounts(conn, **_columns(set(keys))):
        own = (row["merchant_id"], row["customer_id"])
        if own not in shared:
            shared[own] = Book(account_from(row))
        found[row["asked_merchant"], row["asked_customer"]] = shared[own]
    return found


def _key(book: Book) -> Key:
    return (book.account.merchant_id, book.account.customer_id)


async def load_lots(conn: Conn, books: Iterable[Book]) -> None:
    """Load the open lots of these books: whatever takes points needs them."""
    wanted = {_key(book): book for book in books}
    if wanted:
        async for row in queries.load_lots(conn, **_columns(wanted)):
            _add_lot(wanted[row["merchant_id"], row["customer_id"]], row)


async def load_ending_lots(conn: Conn, until: Mapping[Key, tuple[Book, date]]) -> None:
    """Load the open lots of these books whose last day is the one given or before: few of all."""
    rows = queries.load_ending_lots(
        conn,
        merchant_ids=[key[0] for key in until],
        customer_ids=[key[1] for key in until],
        days=[day for _, day in until.values()],
    )
    async for row in rows:
        _add_lot(until[row["merchant_id"], row["customer_id"]][0], row)


async def load_holds(conn: Conn, books: Iterable[Book]) -> None:
    """Load what reservations hold: needed to tell which points past their last day they keep."""
    wanted = {_key(book): book for book in books}
    if wanted:
        async for row in queries.load_holds(conn, **_columns(wanted)):
            book = wanted[row["merchant_id"], row["customer_id"]]
            made_on = local_day(row["created_at"], book.account.time_zone)
            book.holds[str(row["reservation_id"])] = Hold(row["points"], made_on)


async def load_past(conn: Conn, books: Iterable[Book], now: datetime) -> None:
    """Load lots and holds of the few books with points past their last day; the others have none such."""
    wanted = {_key(book): book for book in books}
    if not wanted:
        return
    rows = queries.past_lots(
        conn,
        merchant_ids=[key[0] for key in wanted],
        customer_ids=[key[1] for key in wanted],
        days=[local_day(now, book.account.time_zone) for book in wanted.values()],
    )
    past = [wanted[row["merchant_id"], row["customer_id"]] async for row in rows]
    await load_lots(conn, past)
    await load_holds(conn, past)


async def load_named_lots(conn: Conn, wanted: Sequence[tuple[Book, int]]) -> None:
    """Load lots by their entry_no, empty ones too: whatever restores points needs them."""
    named = {(*_key(book), entry_no): book for book, entry_no in wanted if entry_no}
    if named:
        rows = queries.load_named_lots(
            conn,
            merchant_ids=[key[0] for key in named],
            customer_ids=[key[1] for key in named],
            entry_nos=[key[2] for key in named],
        )
        async for row in rows:
            _add_lot(named[row["merchant_id"], row["customer_id"], row["entry_no"]], row)


def _add_lot(book: Book, row: Mapping[str, Any]) -> None:
    book.lots[row["entry_no"]] = Lot(
        row["entry_no"], row["points"], row["points_left"], row["expires_on"], row["noticed_on"]
    )


async def write(conn: Conn, books: Iterable[Book]) -> None:
    """Write what has changed in these books: entries, lots, accounts."""
    changed = list({_key(book): book for book in books if book.changed}.values())
    if not changed:
        return
    await queries.write_books(
        conn, **_entry_columns(changed), **_lot_columns(changed), **_account_columns(changed)
    )
    touched = [(b.account, b.lots[no]) for b in changed for no in sorted(b.touched - b.new_lots)]
    if touched:
        await queries.update_lots(
            conn,
            merchant_ids=[account.merchant_id for account, _ in touched],
            customer_ids=[account.customer_id for account, _ in touched],
            entry_nos=[lot.entry_no for _, lot in touched],
            lefts=[lot.left for _, lot in touched],
            noticed_ons=[lot.noticed_on for _, lot in touched],
        )


def _entry_columns(books: Sequence[Book]) -> dict[str, list[Any]]:
    entries = [(book.account, entry) for book in books for entry in book.entries]
    return {
        "entry_merchants": [account.merchant_id for account, _ in entries],
        "entry_customers": [account.customer_id for account, _ in entries],
        "entry_nos": [entry.entry_no for _, entry in entries],
        "kinds": [entry.kind for _, entry in entries],
        "points": [entry.points for _, entry in entries],
        "balances": [entry.balance_after for _, entry in entries],
        "causes": [entry.cause.kind for _, entry in entries],
        "cause_ids": [entry.cause.id for _, entry in entries],
        "line_ids": [entry.cause.line_id for _, entry in entries],
        "purchase_ids": [entry.cause.purchase_id for _, entry in entries],
        "versions": [entry.program_version for _, entry in entries],
        "effective_ats": [entry.effective_at for _, entry in entries],
    }


def _lot_columns(books: Sequence[Book]) -> dict[str, list[Any]]:
    fresh = [(book.account, book.lots[no]) for book in books for no in sorted(book.new_lots)]
    return {
        "lot_merchants": [account.merchant_id for account, _ in fresh],
        "lot_customers": [account.customer_id for account, _ in fresh],
        "lot_nos": [lot.entry_no for _, lot in fresh],
        "lot_points": [lot.points for _, lot in fresh],
        "lefts": [lot.left for _, lot in fresh],
        "expiries": [lot.expires_on for _, lot in fresh],
        "noticed_ons": [lot.noticed_on for _, lot in fresh],
    }


def _account_columns(books: Sequence[Book]) -> dict[str, list[Any]]:
    accounts = [book.account for book in books]
    return {
        "merchant_ids": [a.merchant_id for a in accounts],
        "customer_ids": [a.customer_id for a in accounts],
        "currency_codes": [a.currency_code for a in accounts],
        "minor_digits": [a.minor_digits for a in accounts],
        "time_zones": [a.time_zone for a in accounts],
        "in_lots": [a.in_lots for a in accounts],
        "reserveds": [a.reserved for a in accounts],
        "negatives": [a.negative for a in accounts],
        "last_entries": [a.last_entry for a in accounts],
        "tiers": [a.tier for a in accounts],
        "tier_sinces": [a.tier_since for a in accounts],
        "tier_revisions": [a.tier_revision for a in accounts],
        "pinneds": [a.pinned for a in accounts],
        "pinned_untils": [a.pinned_until for a in accounts],
        "last_sale_ats": [a.last_sale_at for a in accounts],
        "merged_intos": [a.merged_into for a in accounts],
        "erased_ats": [a.erased_at for a in accounts],
        "swept_ons": [a.swept_on for a in accounts],
        "day_ats": [a.day_at for a in accounts],
    }
