"""The only code that hands one customer's rows to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from credit.accounts import store as accounts
from credit.accounts.model import Account, Key, StoreLimit
from credit.limits import store as spent
from credit.merges.model import Side
from kit import db

queries = db.load(__file__)

# More entries are moved by a sweep, in a transaction of their own: what a poll moves keeps everybody waiting
# whom the poll names. This many take some 50 ms.
ENTRIES_MAX = 2_000
# A statement moves so many rows of a table, about a second's work.
_ROWS = 20_000


class Waiting(NamedTuple):
    """A merge of a large account, and when it became true."""

    absorbed: Key
    survivor: Key
    at: datetime


async def is_large(conn: db.Conn, account: Account) -> bool:
    """Tell whether a locked account has more entries than a poll moves."""
    large = await queries.is_large(
        conn, merchant_id=account.merchant_id, customer_id=account.customer_id, entries_max=ENTRIES_MAX
    )
    return bool(large)


async def sides(conn: db.Conn, absorbed: Account, survivor: Account) -> tuple[Side, Side]:
    """Return both locked accounts with what decides whose standing is higher."""
    both = (absorbed, survivor)
    opened = await accounts.opened_by_staff(conn, both)
    stores: dict[str, dict[str, int]] = {account.customer_id: {} for account in both}
    if any(account.store_limited for account in both):
        rows = queries.store_limits(conn, merchant_id=absorbed.merchant_id, customers=list(stores))
        async for row in rows:
            stores[row["customer_id"]][row["store_id"]] = row["credit_limit"]
    one, other = (Side(each, each.key in opened, stores[each.customer_id]) for each in both)
    return one, other


async def hand_over(conn: db.Conn, absorbed: Account, survivor: Account) -> None:
    """Give all rows and balances of an absorbed customer to the survivor; both accounts are locked."""
    names = {
        "merchant_id": absorbed.merchant_id,
        "absorbed": absorbed.customer_id,
        "survivor": survivor.customer_id,
    }
    for move in (queries.move_entries, queries.move_invoices, queries.move_holds):
        while await move(conn, **names, rows=_ROWS) == _ROWS:
            pass
    await queries.move(conn, **names, revision=survivor.revision)
    await queries.carry(conn, **names)
    await queries.move_aliases(conn, **names)


async def put_off(conn: db.Conn, merge: Waiting) -> bool:
    """Note a merge to do apart; False: the absorbed customer waits for another survivor already."""
    survivor = await queries.put_off(
        conn,
        merchant_id=merge.absorbed.merchant_id,
        absorbed=merge.absorbed.customer_id,
        survivor=merge.survivor.customer_id,
        merged_at=merge.at,
    )
    return bool(survivor == merge.survivor.customer_id)


async def claim(conn: db.Conn) -> Waiting | None:
    """Lock a merge that waits, and let the transaction last as long as it takes."""
    row = await queries.claim(conn)
    if row is None:
        return None
    await queries.take_time(conn)
    merchant_id = row["merchant_id"]
    return Waiting(
        Key(merchant_id, row["absorbed_customer_id"]),
        Key(merchant_id, row["surviving_customer_id"]),
        row["merged_at"],
    )


async def done(conn: db.Conn, merge: Waiting) -> None:
    """Forget a merge that waited."""
    await queries.done(conn, merchant_id=merge.absorbed.merchant_id, absorbed=merge.absorbed.customer_id)


async def tried(conn: db.Conn, merge: Waiting) -> None:
    """Let a merge that cannot be done yet wait behind the others."""
    await queries.tried(conn, merchant_id=merge.absorbed.merchant_id, absorbed=merge.absorbed.customer_id)


async def is_waiting(conn: db.Conn) -> bool:
    """Tell whether any merge waits."""
    return bool(await queries.is_waiting(conn))


async def set_store_limits(
    conn: db.Conn, absorbed: Account, united: Account, limits: Sequence[StoreLimit], at: datetime
) -> Account:
    """Write which limits per store hold after a merge, each a change; return the account after the last."""
    whose = {"merchant_id": united.merchant_id, "customer_id": united.customer_id}
    if limits:
        await queries.drop_store_limits(
            conn,
            merchant_id=united.merchant_id,
            absorbed=absorbed.customer_id,
            survivor=united.customer_id,
        )
    for of in limits:
        if of.limit is not None:
            await accounts.queries.put_store_limit(conn, **whose, store_id=of.store_id, credit_limit=of.limit)
        await accounts.note(conn, united, "STORE_LIMIT", at, absorbed=absorbed.customer_id, of_store=of)
        united = replace(united, revision=united.revision + 1)
    if united.store_limited:
        await accounts.queries.find_pending_by_store(conn, **whose)
    return united


async def note(conn: db.Conn, absorbed: Account, united: Account, at: datetime) -> None:
    """Write a merge into the survivor's history.

    Of an erased survivor nothing that was written stays, nor what either bought each month.
    """
    await accounts.note(conn, united, "MERGED", at, absorbed=absorbed.customer_id)
    if united.erased:
        await accounts.clear_texts(conn, [united.key])
        await spent.forget(conn, [united.key])
