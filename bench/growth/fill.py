"""Fills a database with the books of a shop that has been open for months, in bulk and yet consistent.

Ten entries an account: six sales, the first four of them paid. Two invoices are open, none late enough to
block; the holds of the last two sales are kept, and every tenth customer has one pending. `python -m credit
audit` finds nothing in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from kit import db

queries = db.load(__file__)
TABLES = ["accounts", "account_changes", "entries", "holds", "invoices", "payments"]
DAYS_AGO = (150, 125, 100, 75, 25, 1)  # of the six sales; the last two are still owed
PAID = 4
ENTRIES = len(DAYS_AGO) + PAID  # an account
SESSION = {"maintenance_work_mem": "512MB", "work_mem": "256MB", "synchronous_commit": "off", "jit": "off"}


async def fill(url: str, merchant: str, customers: Sequence[str], limit: int) -> None:
    """Give each customer an account with its books; the database is empty and nobody else uses it."""
    conn = await asyncpg.connect(url, server_settings=SESSION)
    try:
        await queries.prepare(conn)
        await conn.copy_records_to_table("fill_customers", records=list(enumerate(customers)))
        about: dict[str, Any] = {"merchant": merchant, "now": datetime.now(UTC)}
        async with _without_indexes(conn):
            await queries.openings(conn, limit=limit, **about)
            for number, days in enumerate(DAYS_AGO):
                await _month(conn, days, number < PAID, limit, about)
            await queries.pending_holds(conn, limit=limit, **about)
            await queries.accounts(conn, limit=limit, **about)
        await queries.forget(conn)
        await conn.execute("VACUUM (ANALYZE)")
    finally:
        await conn.close()


async def _month(conn: db.Conn, days: int, paid: bool, limit: int, about: dict[str, Any]) -> None:
    merchant = about["merchant"]
    await queries.sales(conn, days=days, paid=paid, now=about["now"])
    await queries.invoices(conn, merchant=merchant)
    await queries.charges(conn, merchant=merchant)
    if paid:
        await queries.payments(conn, merchant=merchant)
        await queries.settlements(conn, merchant=merchant)
    else:
        await queries.holds(conn, merchant=merchant, limit=limit)
    await queries.next_month(conn)


@asynccontextmanager
async def _without_indexes(conn: db.Conn) -> AsyncIterator[None]:
    """Drop indexes and keys and make them again behind the rows, sorted: several times faster."""
    definitions = [row async for row in queries.definitions(conn, tables=TABLES)]
    for each in definitions:
        drop = f"ALTER TABLE {each['of_table']} DROP CONSTRAINT {each['key']}"
        await conn.execute(drop if each["key"] else f"DROP INDEX {each['index']}")
    yield
    for each in definitions:
        await conn.execute(each["makes"])
