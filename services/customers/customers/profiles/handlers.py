"""What profiles hear: loyalty says the tier, which is the category."""

from __future__ import annotations

from customers.profiles.store import existing, lock, queries
from kit import db
from kit.events import NotYet, Received


async def lock_customers(conn: db.Conn, heard: list[Received]) -> None:
    """Lock the customers that the events are about, in id order."""
    await lock(conn, sorted({(e.merchant_id, e.key) for e in heard}))


async def tier_changed(conn: db.Conn, heard: list[Received]) -> list[Exception | None]:
    """Set the category to the tier; a word older than the last one heard changes nothing."""
    known = await existing(conn, {(e.merchant_id, e.payload.customer_id) for e in heard})
    await queries.set_categories(
        conn,
        merchants=[e.merchant_id for e in heard],
        customers=[e.payload.customer_id for e in heard],
        categories=[e.payload.to_tier for e in heard],
        revisions=[e.payload.revision for e in heard],
    )
    return [
        None if (e.merchant_id, e.payload.customer_id) in known else NotYet("the customer is not known here")
        for e in heard
    ]
