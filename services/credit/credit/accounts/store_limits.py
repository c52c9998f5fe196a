"""Limits per store: how much of what a customer owes may come from one of the shop's stores."""

from __future__ import annotations

from collections.abc import Iterable

from credit.accounts import store
from credit.accounts.model import Account, Key, StoreLimit, StoreRoom
from credit.errors import TooManyStoreLimits
from kit import db

STORES_MAX = 100  # with a limit of their own, of one account


async def put(conn: db.Conn, account: Account, wish: StoreLimit) -> bool:
    """Set or take away a store's limit on a locked account; return whether it has any such limit then.

    Raises TOO_MANY_STORE_LIMITS.
    """
    whose = {"merchant_id": account.merchant_id, "customer_id": account.customer_id}
    before = int(await store.queries.count_store_limits(conn, **whose))
    if wish.limit is None:
        await store.queries.drop_store_limit(conn, **whose, store_id=wish.store_id)
    else:
        if not account.store_limited:
            await store.queries.find_pending_by_store(conn, **whose)
        await store.queries.put_store_limit(conn, **whose, store_id=wish.store_id, credit_limit=wish.limit)
    found = int(await store.queries.count_store_limits(conn, **whose))
    if found > max(STORES_MAX, before):  # a merge may have left more: those can be changed and taken away
        raise TooManyStoreLimits(STORES_MAX)
    return found > 0


async def rooms(conn: db.Conn, asked: Iterable[tuple[Key, str]]) -> dict[tuple[Key, str], StoreRoom]:
    """Return the limits of these stores on these accounts; no statement where none is asked for.

    What counts is what holds and invoices say at this moment: lock the accounts before to rely on it.
    """
    wanted = sorted(set(asked))
    if not wanted:
        return {}
    return await _rooms(conn, [key for key, _ in wanted], [store_id for _, store_id in wanted])


async def rooms_of(conn: db.Conn, account: Account) -> list[StoreRoom]:
    """Return all limits per store of an account, by store."""
    return list((await _rooms(conn, [account.key], [None])).values()) if account.store_limited else []


async def _rooms(
    conn: db.Conn, keys: list[Key], stores: list[str] | list[None]
) -> dict[tuple[Key, str], StoreRoom]:
    rows = store.queries.store_rooms(
        conn,
        merchants=[k.merchant_id for k in keys],
        customers=[k.customer_id for k in keys],
        stores=stores,
    )
    return {
        (Key(r["merchant_id"], r["customer_id"]), r["store_id"]): StoreRoom(
            r["store_id"], r["credit_limit"], r["held"] + r["owed"]
        )
        async for r in rows
    }
