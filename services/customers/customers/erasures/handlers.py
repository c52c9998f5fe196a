"""What erasures hear of credit: an invoice is paid, so one that waited may go on at once."""

from __future__ import annotations

from customers.erasures.store import queries
from kit import db
from kit.events import Received


async def invoice_settled(conn: db.Conn, heard: list[Received]) -> None:
    """Let the sweep ask credit again for these customers; whether all is settled, credit says."""
    await queries.hurry(
        conn,
        merchants=[e.merchant_id for e in heard],
        customers=[e.payload.customer_id for e in heard],
    )
