"""Merging two customers' accounts: the ledger of each stays true, an entry in each says what moved."""

from __future__ import annotations

from datetime import datetime

from kit.db import Conn
from loyalty.accounts import store
from loyalty.accounts.model import Book, Cause


def transfer(absorbed: Book, survivor: Book, at: datetime) -> None:
    """Move points, lot by lot, debt and reserved points from one book to the other; lots must be loaded."""
    source, target = absorbed.account, survivor.account
    lots = sorted((lot for lot in absorbed.lots.values() if lot.left), key=lambda lot: lot.entry_no)
    reserved, owed = source.reserved, source.negative
    source.reserved = 0
    for lot in lots:
        points, place = lot.left, str(lot.entry_no)
        absorbed.take("MERGE", points, Cause("MERGE", target.customer_id, place), 0, at, first=lot.entry_no)
        cause = Cause("MERGE", source.customer_id, place)
        held = min(points, reserved)
        moved = survivor.give("MERGE", points, cause, lot.expires_on, 0, at, held)
        survivor.lots[moved.entry_no].noticed_on = lot.noticed_on
        reserved -= held
    if owed:
        # What is owed moves as well: the absorbed account is forgiven, the survivor owes it.
        absorbed.give("MERGE", owed, Cause("MERGE", target.customer_id, "owed"), None, 0, at)
        survivor.take("MERGE", owed, Cause("MERGE", source.customer_id, "owed"), 0, at)


async def merge(conn: Conn, merchant_id: str, absorbed_id: str, survivor_id: str, at: datetime) -> None:
    """Merge under the locks of both accounts; once merged, the same event again changes nothing."""
    absorbed_key, survivor_key = (merchant_id, absorbed_id), (merchant_id, survivor_id)
    books = await store.load(conn, [absorbed_key, survivor_key])
    absorbed, survivor = books[absorbed_key], books[survivor_key]
    if absorbed is survivor or absorbed.account.customer_id != absorbed_id:
        return
    await store.load_lots(conn, [absorbed, survivor])
    transfer(absorbed, survivor, at)
    own = survivor.account.customer_id
    absorbed.account.merged_into, absorbed.changed = own, True
    await store.write(conn, [absorbed, survivor])
    names = {"merchant_id": merchant_id, "absorbed": absorbed_id, "survivor": own}
    await store.queries.move_reservations(conn, **names)
    await store.queries.move_exceptions(conn, **names)
    await store.queries.move_purchases(conn, **names)
    await store.queries.move_returns(conn, **names)
    await store.queries.move_redemptions(conn, **names)
    await store.queries.move_aliases(conn, **names)
