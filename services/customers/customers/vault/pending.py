"""What the customers database still has to learn, or, of a registration that came to nothing, to forget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import asyncpg

from kit import db

queries = db.load(__file__)


class Ended(TypedDict):
    """What a registration ended at another holder: rows, each with the token (hex) of the address it took."""

    points: list[tuple[int, str]]
    consents: list[tuple[int, str]]


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


async def oldest_s(conn: db.Conn) -> float:
    """Return for how many seconds of wall time the oldest half-done write has been one; 0: there is none."""
    return float(await queries.oldest_pending(conn))


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
    """Take a registration back: its customer never came to be. False where somebody took it up again.

    Locks as a write does: addresses, then people. What was taken over goes back to its holder.
    """
    key: dict[str, Any] = {"merchant_id": pending.merchant_id, "customer_id": pending.customer_id}
    ended: dict[str, Ended] = pending.change.get("ended", {})
    await queries.lock_tokens(conn, locks=pending.change.get("locks", []))
    people = queries.lock_people(
        conn, merchant_id=pending.merchant_id, customer_ids=[pending.customer_id, *ended]
    )
    locked = {row["customer_id"] async for row in people}
    if unless_touched and not await queries.still_untouched(conn, touched_at=pending.touched_at, **key):
        return False
    held = {row["token"].hex() async for row in queries.held_tokens(conn, **key)}
    await queries.forget_points(conn, **key)
    await queries.clear_contact_index(conn, **key)
    await queries.forget_search(conn, **key)
    await queries.forget_fields(conn, **key)
    await queries.forget_requests(conn, **key)
    await queries.forget_pending(conn, **key)
    await queries.forget_person(conn, **key)
    for customer_id in sorted(ended.keys() & locked):
        await _give_back(conn, pending, customer_id, ended[customer_id], held)
    return True


async def _give_back(conn: db.Conn, pending: Pending, customer_id: str, ended: Ended, held: set[str]) -> None:
    """Give back what the registration still `held`; the rest somebody else took over meanwhile."""
    key: dict[str, Any] = {"merchant_id": pending.merchant_id, "customer_id": customer_id}
    points = [point_id for point_id, token in ended["points"] if token in held]
    if not points:
        return
    await queries.give_back_points(conn, point_ids=points, **key)
    await queries.give_back_index(conn, point_ids=points, **key)
    seqs = [seq for seq, token in ended["consents"] if token in held]
    await queries.give_back_consents(conn, seqs=seqs, **key)
    await add(conn, pending.merchant_id, customer_id, pending.change["at"], ["contact_points"])


async def add(conn: db.Conn, merchant_id: str, customer_id: str, at: str, changed: list[str]) -> None:
    """Let the customers database learn a change that concerns the vault alone, as the next version."""
    key: dict[str, Any] = {"merchant_id": merchant_id, "customer_id": customer_id}
    version = await queries.bump_version(conn, **key)
    change = json.dumps({"at": at, "changed": changed, "set": {}})
    await queries.add_pending(conn, version=version, change=change, **key)
