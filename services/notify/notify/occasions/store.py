"""The only code of occasions that runs SQL: which merchants there are, and when each was asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from kit import db

_queries = db.load(__file__)


async def hear_of(conn: db.Conn, merchant_ids: Collection[str]) -> None:
    """Note merchants that events came from."""
    await _queries.hear_of_merchants(conn, merchant_ids=sorted(merchant_ids))


async def rounds(conn: db.Conn, occasion: str, after: str, limit: int) -> list[tuple[str, datetime | None]]:
    """Return up to `limit` merchants behind `after` and when the occasion was last asked for of each."""
    rows = _queries.rounds(conn, occasion=occasion, after=after, limit=limit)
    return [(row["merchant_id"], row["asked_at"]) async for row in rows]


async def asked(conn: db.Conn, merchant_id: str, occasion: str, at: datetime) -> None:
    """Note that all of a merchant's were asked for at `at`, business time."""
    await _queries.asked(conn, merchant_id=merchant_id, occasion=occasion, asked_at=at)


async def greeted(
    conn: db.Conn, merchant_id: str, kind: str, period: str, customer_ids: Sequence[str]
) -> set[str]:
    """Return those of the customers that have a message of the kind in the period."""
    rows = _queries.greeted(
        conn, merchant_id=merchant_id, kind=kind, period=period, customer_ids=list(customer_ids)
    )
    return {row["customer_id"] async for row in rows}
