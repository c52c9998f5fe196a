"""What `python -m loyalty audit` compares; each check is one query that returns what differs of a page."""

from __future__ import annotations

from collections.abc import Sequence

from kit import db
from kit.audit import Audit, check
from loyalty.accounts.store import Key

_queries = db.load(__file__)


async def _read_page(conn: db.Conn, after: Key, size: int) -> Sequence[Key]:
    rows = _queries.customers(conn, merchant_id=after[0], customer_id=after[1], size=size)
    return [(row["merchant_id"], row["customer_id"]) async for row in rows]


AUDIT = Audit(
    _read_page,
    [
        check("accounts", _queries.accounts),
        check("entries", _queries.entries),
        check("lots", _queries.lots),
        check("purchases", _queries.purchases),
        check("moved_purchases", _queries.moved_purchases),
        check("returns", _queries.returns),
        check("redemptions", _queries.redemptions),
        check("reservations", _queries.reservations),
        check("programs", _queries.programs),
        check("tiers", _queries.tiers),
    ],
)
