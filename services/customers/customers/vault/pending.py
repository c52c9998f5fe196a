"""What the customers database still has to learn, or, of a registration that came to nothing, to forget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from kit import db

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that the customers database may not have learnt yet."""

    merchant_id: str
    customer_id: str
    version: int
    change: dict[str, Any]
    touched_at: datetime | None = None


def _pending(row: asyncpg.Record) -> Pending:
    change: dict[str, Any] = json.loads(row["change"])
    return Pending(row["merchant_id"], row["customer_id"], row["version"], change, row.get("touched_at"))


async def touch(conn: db.Conn, merchant_id: str, customer_ids: Sequence[str]) -> list[Pending]:
    """Return what is pending of customers, oldest first, and keep it from the sweep for another while."""
    rows = [
        row
        async for row in queries.touch_pending(conn, merchant_id=merchant_id, customer_ids=list(customer_ids))
    ]
    return sorted(map(_pending, rows), key=lambda p: (p.customer_id, p.version))


async def settle(conn: db.Conn, done: Sequence[Pending]) -> None:
    """Drop what the customers database has learnt."""
    await queries.settle_pending(
        conn,
        merchants=[p.merchant_id for p in done],
        customers=[p.customer_id for p in done],
        versions=[p.version for p in done],
    )


async def claim(conn: db.Conn, complete_after_s: float, withdraw_after_s: float, size: int) -> list[Pending]:
    """Claim half-done writes that nobody has touched for so many seconds of wall time."""
    rows = [
        row
        async for row in queries.claim_pending(
            conn, complete_after_s=complete_after_s, withdraw_after_s=withdraw_after_s, size=size
        )
    ]
    return sorted(map(_pending, rows), key=lambda p: (p.merchant_id, p.customer_id, p.version))


async def withdraw(conn: db.Conn, pending: Pending, *, unless_touched: bool) -> bool:
    """Take a registration back: its customer never came to be. False where somebody took it up again."""
    key: dict[str, Any] = {"merchant_id": pending.merchant_id, "customer_id": pending.customer_id}
    [
        row
        async for row in queries.lock_people(
            conn, merchant_id=pending.merchant_id, customer_ids=[pending.customer_id]
        )
    ]
    if unless_touched and not await queries.still_untouched(conn, touched_at=pending.touched_at, **key):
        return False
    await queries.forget_points(conn, **key)
    await queries.clear_contact_index(conn, **key)
    await queries.forget_search(conn, **key)
    await queries.forget_fields(conn, **key)
    await queries.forget_requests(conn, **key)
    await queries.forget_pending(conn, **key)
    await queries.forget_person(conn, **key)
    return True
