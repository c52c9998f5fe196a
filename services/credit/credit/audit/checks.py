"""What `python -m credit audit` compares; each check is one query that returns what differs of a page."""

from __future__ import annotations

from collections.abc import Sequence

from credit.accounts.model import Key
from kit import db
from kit.audit import Audit, check

queries = db.load(__file__)
_FIRST = "00000000-0000-0000-0000-000000000000"


async def read_page(conn: db.Conn, after: tuple[str, str], size: int) -> Sequence[tuple[str, str]]:
    """Return the next customers that are known here, with an account or without."""
    rows = queries.customers(conn, merchant_id=after[0], customer_id=after[1], size=size)
    return [Key(row["merchant_id"], row["customer_id"]) async for row in rows]


async def read_allowances(conn: db.Conn, after: tuple[str, str], size: int) -> Sequence[tuple[str, str]]:
    """Return the next allowances: they are a store's, and no customer's."""
    rows = queries.allowance_ids(conn, merchant_id=after[0], allowance_id=after[1] or _FIRST, size=size)
    return [(row["merchant_id"], str(row["allowance_id"])) async for row in rows]


AUDIT = Audit(
    read_page,
    [
        check("balances", queries.balances),
        check("accounts", queries.accounts),
        check("store-limits", queries.store_limits),
        check("invoices", queries.invoices),
        check("payments", queries.payments),
        check("causes", queries.causes),
        check("holds", queries.holds),
        check("exceptions", queries.exceptions),
        check("uses", queries.uses),
        check("merges", queries.merges),
    ],
    also=[Audit(read_allowances, [check("allowances", queries.allowances)])],
)
