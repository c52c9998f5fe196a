"""What `python -m credit audit` compares; each check is one query that returns what differs of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from credit.accounts.model import Key
from kit import db
from kit.audit import Audit, Check, Difference

queries = db.load(__file__)


async def read_page(conn: db.Conn, after: tuple[str, str], size: int) -> Sequence[tuple[str, str]]:
    """Return the next customers that are known here, with an account or without."""
    rows = queries.customers(conn, merchant_id=after[0], customer_id=after[1], size=size)
    return [Key(row["merchant_id"], row["customer_id"]) async for row in rows]


def _check(name: str, query: Callable[..., AsyncIterator[Any]]) -> Check:
    async def check(conn: db.Conn, keys: Sequence[tuple[str, str]]) -> list[Difference]:
        rows = query(conn, merchants=[key[0] for key in keys], customers=[key[1] for key in keys])
        return [
            Difference(name, r["merchant_id"], r["customer_id"], r["what"], r["must"], r["found"])
            async for r in rows
        ]

    return check


AUDIT = Audit(
    read_page,
    [
        _check("balances", queries.balances),
        _check("accounts", queries.accounts),
        _check("invoices", queries.invoices),
        _check("payments", queries.payments),
        _check("causes", queries.causes),
        _check("holds", queries.holds),
        _check("exceptions", queries.exceptions),
    ],
)
