"""The only code that reads and writes which notices were given, and claims the accounts that need one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from credit.accounts.model import Key
from credit.notices.model import Day, Ladders, Notice
from kit import db

queries = db.load(__file__)


async def claim(conn: db.Conn, days: Sequence[Day], steps: Ladders, size: int) -> dict[Key, str]:
    """Lock up to `size` accounts of which something is to be said on these local days; return their zones.

    Read only in a later statement: it alone sees what the last holder of a lock committed.
    """
    rows = queries.claim(conn, **claim_columns(days, steps), size=size)
    return {Key(r["merchant_id"], r["customer_id"]): r["time_zone"] async for r in rows}


def claim_columns(days: Sequence[Day], steps: Ladders) -> dict[str, list[Any]]:
    """Return what the claim is told, in the order of the statement."""
    usual = [(day, due_on) for day in days for due_on in steps.usual.due_dates(day.local_date)]
    own = [(merchant_id, day) for merchant_id, each in steps.own.items() for day in each.days]
    return {
        "zones": [day.zone for day in days],
        "local_dates": [day.local_date for day in days],
        "begins": [day.begins for day in days],
        "usual_zones": [day.zone for day, _ in usual],
        "usual_local_dates": [day.local_date for day, _ in usual],
        "usual_begins": [day.begins for day, _ in usual],
        "usual_due_dates": [due_on for _, due_on in usual],
        "unusual": [*steps.own, *steps.silent],
        "own_merchants": [merchant_id for merchant_id, _ in own],
        "own_days": [day for _, day in own],
    }


async def add(conn: db.Conn, notices: Sequence[Notice], at: datetime) -> list[Notice]:
    """Note what is said at `at` on locked accounts; return what was not said before: say that alone."""
    rows = queries.add(
        conn,
        merchants=[n.account.merchant_id for n in notices],
        customers=[n.account.customer_id for n in notices],
        local_dates=[n.local_date for n in notices],
        kinds=[n.kind for n in notices],
        said_at=at,
    )
    fresh = {Key(r["merchant_id"], r["customer_id"]) async for r in rows}
    return [n for n in notices if n.account.key in fresh]


async def find_reminder(conn: db.Conn, merchant_id: str, request_id: str) -> Any:
    """Return what a request id said by hand, a row or None."""
    return await queries.find_reminder(conn, merchant_id=merchant_id, request_id=request_id)


async def add_reminder(
    conn: db.Conn, said: Notice, request_id: str, staff_ref: str, content: bytes, at: datetime
) -> bool:
    """Note what is said by hand; False: another customer's request took the id meanwhile."""
    written = await queries.add_reminder(
        conn,
        merchant_id=said.account.merchant_id,
        request_id=request_id,
        customer_id=said.account.customer_id,
        local_date=said.local_date,
        kind=said.kind,
        staff_ref=staff_ref,
        fingerprint=content,
        said_at=at,
    )
    return written is not None
