"""Exceptions: listing them, and saying how they were settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import db
from kit.batch import LockedType
from kit.db import Conn
from kit.errors import IdempotencyConflict
from loyalty.errors import ExceptionNotFound, ExceptionResolved
from loyalty.races import second_sees_first

_queries = db.load(__file__)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """ResolveException, decoded."""

    merchant_id: str
    request_id: str
    exception_id: str
    resolution: str
    origin: bytes
    now: datetime


async def page(
    conn: Conn,
    merchant_id: str,
    customer_id: str,
    include_resolved: bool,
    before: tuple[datetime, str],
    limit: int,
) -> list[Row]:
    """Return exceptions from a position on, newest first; customer_id "" for all."""
    rows = _queries.page_of_exceptions(
        conn,
        merchant_id=merchant_id,
        customer_id=customer_id,
        include_resolved=include_resolved,
        before_at=before[0],
        before_id=before[1],
        limit=limit,
    )
    return [row async for row in rows]


async def resolve(conn: Conn, requests: Sequence[Settled], wait: bool) -> list[Row | Exception | LockedType]:
    """Settle each exception once."""
    del wait
    return [await _resolve(conn, request) for request in requests]


async def _resolve(conn: Conn, request: Settled) -> Row | Exception:
    # The exception's own row is its lock: no points move by a resolution.
    row: Row | None = await _queries.lock_exception(
        conn, merchant_id=request.merchant_id, exception_id=request.exception_id
    )
    before = await _queries.exception_by_request(
        conn, merchant_id=request.merchant_id, request_id=request.request_id
    )
    if before is not None:
        same = (str(before["exception_id"]), before["resolution"]) == (
            request.exception_id,
            request.resolution,
        )
        if not same or row is None:
            return IdempotencyConflict("request", request.request_id)
        return row
    if row is None:
        return ExceptionNotFound("there is no such exception; list them first")
    if row["resolution"]:
        return ExceptionResolved(f"it was settled as {row['resolution']} before")
    with second_sees_first():
        settled: Row = await _queries.resolve(
            conn,
            merchant_id=request.merchant_id,
            exception_id=request.exception_id,
            resolution=request.resolution,
            resolved_at=request.now,
            request_id=request.request_id,
            origin=request.origin,
        )
    return settled
