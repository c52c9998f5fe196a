"""Points given or taken by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kit.batch import LockedType
from kit.counts import count
from kit.db import Conn
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint
from loyalty import metrics
from loyalty.accounts import store
from loyalty.accounts.model import Book, Cause
from loyalty.days import local_day
from loyalty.errors import AccountNotFound, ExpiryPassed
from loyalty.races import second_sees_first


@dataclass(frozen=True, slots=True)
class Adjustment:
    """AdjustPoints, decoded; points signed."""

    merchant_id: str
    adjustment_id: str
    customer_id: str
    points: int
    reason: str
    origin: bytes
    expires_on: date | None
    dry_run: bool
    now: datetime

    @property
    def mark(self) -> bytes:
        """The fingerprint of the business content."""
        day = self.expires_on.isoformat() if self.expires_on else ""
        return fingerprint(1, self.customer_id, self.points, self.reason, day)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The entry, as a row, and the book after it."""

    entry: dict[str, Any]
    book: Book


async def adjust(
    conn: Conn, requests: Sequence[Adjustment], wait: bool
) -> list[Adjusted | Exception | LockedType]:
    """Adjust each account; always waits for its lock, for AdjustPoints is rare."""
    del wait
    return [await _adjust(conn, request) for request in requests]


async def _adjust(conn: Conn, request: Adjustment) -> Adjusted | Exception:
    key = (request.merchant_id, request.customer_id)
    # The account's lock comes before anything of the customer is read.
    await store.lock_all(conn, [], also=[key])
    book = (await store.load(conn, [key])).get(key)
    if book is None:
        return AccountNotFound(request.customer_id)
    before = await store.queries.adjustment(
        conn, merchant_id=request.merchant_id, adjustment_id=request.adjustment_id
    )
    if before is not None:
        if before["fingerprint"] != request.mark:
            return IdempotencyConflict("adjustment", request.adjustment_id)
        entry = await store.queries.entry(
            conn,
            merchant_id=request.merchant_id,
            customer_id=before["customer_id"],
            entry_no=before["entry_no"],
        )
        return Adjusted(dict(entry), book)
    today = local_day(request.now, book.account.time_zone)
    if request.expires_on and request.expires_on < today:
        return ExpiryPassed("expires_on lies in the past; give a later day, or none")
    await store.load_lots(conn, [book])
    cause = Cause("ADJUSTMENT", request.adjustment_id)
    if request.points > 0:
        book.give("ADJUST", request.points, cause, request.expires_on, 0, request.now)
    else:
        book.take("ADJUST", -request.points, cause, 0, request.now, day=today)
    if not request.dry_run:
        await _write(conn, request, book)
    return Adjusted(_row(request, book), book)


async def _write(conn: Conn, request: Adjustment, book: Book) -> None:
    await store.write(conn, [book])
    with second_sees_first():
        await store.queries.insert_adjustment(
            conn,
            merchant_id=request.merchant_id,
            adjustment_id=request.adjustment_id,
            customer_id=book.account.customer_id,
            fingerprint=request.mark,
            entry_no=book.account.last_entry,
            reason=book.account.kept(request.reason),
            origin=request.origin,
        )
    count(metrics.POINTS.labels("ADJUST"), abs(request.points))


def _row(request: Adjustment, book: Book) -> dict[str, Any]:
    """Return the new entry as its row will read."""
    entry = book.entries[-1]
    return {
        "entry_no": entry.entry_no,
        "kind": entry.kind,
        "points": entry.points,
        "balance_after": entry.balance_after,
        "cause": entry.cause.kind,
        "cause_id": entry.cause.id,
        "line_id": "",
        "purchase_id": "",
        "program_version": 0,
        "effective_at": entry.effective_at,
        "booked_at": request.now,
    }
