"""One merge, under the locks of both accounts: decides by the model and moves all that there is."""

from __future__ import annotations

from credit import metrics
from credit.accounts import store as accounts
from credit.merges import store
from credit.merges.model import alias, comparable, store_limits, united
from credit.merges.store import Waiting
from kit import db
from kit.counts import count
from kit.events import NotYet


async def unite(conn: db.Conn, merge: Waiting, *, apart: bool) -> Exception | None:
    """Merge two locked accounts, or return why not; what is merged already changes nothing.

    A large account waits for the sweep unless this transaction stands `apart` from everybody else's.
    """
    found = await accounts.read(conn, [merge.absorbed, merge.survivor])
    absorbed, survivor = found[merge.absorbed], found[merge.survivor]
    if absorbed.key == survivor.key:
        return None
    if absorbed.key != merge.absorbed:
        return _elsewhere(merge, absorbed.customer_id)
    if not comparable(absorbed, survivor):
        return NotYet(
            f"the account of {absorbed.customer_id} is in {absorbed.currency_code} with "
            f"{absorbed.minor_digits} minor digits, that of {survivor.customer_id} in "
            f"{survivor.currency_code} with {survivor.minor_digits}; correct one with OpenAccount while "
            "nothing is booked on it"
        )
    if not apart and await store.is_large(conn, absorbed):
        return None if await store.put_off(conn, merge) else _elsewhere(merge, "another")
    sides = await store.sides(conn, absorbed, survivor)
    after = united(*sides, merge.at)
    await store.hand_over(conn, absorbed, survivor)
    after = await store.set_store_limits(conn, absorbed, after, store_limits(*sides), merge.at)
    await accounts.save(conn, [after, alias(absorbed, survivor)])
    await store.note(conn, absorbed, after, merge.at)
    count(metrics.MERGED)
    return None


def _elsewhere(merge: Waiting, survivor: str) -> ValueError:
    return ValueError(f"{merge.absorbed.customer_id} was merged into {survivor} before")
