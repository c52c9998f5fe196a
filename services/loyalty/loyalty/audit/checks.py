"""What `python -m loyalty audit` compares; each check is one query that returns what differs of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from kit import db
from kit.audit import Audit, Check, Difference
from loyalty.accounts.store import Key

_queries = db.load(__file__)


async def _read_page(conn: db.Conn, after: Key, size: int) -> Sequence[Key]:
    rows = _queries.customers(conn, merchant_id=after[0], customer_id=after[1], size=size)
    return [(row["merchant_id"], row["customer_id"]) async for row in rows]


def _check(name: str, query: Callable[..., AsyncIterator[Any]]) -> Check:
    async def check(conn: db.Conn, keys: Sequence[Key]) -> list[Difference]:
        rows = query(conn, merchant_ids=[key[0] for key in keys], customer_ids=[key[1] for key in keys])
        return [
            Difference(name, r["merchant_id"], r["customer_id"], r["what"], r["must"], r["found"])
            async for r in rows
        ]

    return check


AUDIT = Audit(
    _read_page,
    [
        _check("accounts", _queries.accounts),
        _check("entries", _queries.entries),
        _check("lots", _queries.lots),
        _check("purchases", _queries.purchases),
        _check("moved_purchases", _queries.moved_purchases),
        _check("returns", _queries.returns),
        _check("redemptions", _queries.redemptions),
        _check("reservations", _queries.reservations),
        _check("programs", _queries.programs),
        _check("tiers", _queries.tiers),
    ],
)
