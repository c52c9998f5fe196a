"""What staff should look at: sales that were recorded although something was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers import metrics
from customers.merchants.store import remember
from customers.purchases.decode import Sale
from customers.purchases.errors import AlreadyResolved, ExceptionNotFound
from customers.purchases.sql import queries
from kit import ids
from kit.counts import count
from kit.db import Conn
from kit.fingerprint import fingerprint

REASONS = ("CUSTOMER_UNKNOWN", "TENDER_WITHOUT_CUSTOMER")


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something found while a sale was recorded; `subject` is the neutral id of what was named."""

    merchant_id: str
    purchase_id: str
    reason: str
    subject: str
    store_id: str
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class Resolve:
    """A request to note how an exception was dealt with."""

    merchant_id: str
    request_id: str
    exception_id: str
    resolution: str
    staff_ref: str
    now: datetime


def notice(sale: Sale, reason: str, subject: str) -> Noticed:
    """Return what was found about a sale."""
    return Noticed(sale.merchant_id, sale.purchase_id, reason, subject, sale.store_id, sale.received_at)


def id_of(merchant_id: str, purchase_id: str, reason: str) -> str:
    """Return the one id of a purchase's exception for a reason."""
    return ids.derived_uuid(merchant_id, "purchase-exception", purchase_id, reason)


async def write(conn: Conn, noticed: Sequence[Noticed]) -> None:
    """Write what was found, once."""
    if not noticed:
        return
    for found in noticed:
        count(metrics.PURCHASE_EXCEPTIONS.labels(found.reason))
    await queries.insert_exceptions(
        conn,
        merchants=[n.merchant_id for n in noticed],
        exceptions=[id_of(n.merchant_id, n.purchase_id, n.reason) for n in noticed],
        purchases=[n.purchase_id for n in noticed],
        reasons=[n.reason for n in noticed],
        subjects=[n.subject for n in noticed],
        stores=[n.store_id for n in noticed],
        noticed=[n.noticed_at for n in noticed],
    )


async def open_by_reason(conn: Conn) -> dict[str, int]:
    """Return how many exceptions are open, by reason."""
    return {row["reason"]: row["many"] async for row in queries.open_exceptions(conn)}


async def reasons_of(
    conn: Conn, purchases: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the reasons for which purchases (merchant_id, purchase_id) are listed."""
    wanted = [(m, id_of(m, p, reason)) for m, p in purchases for reason in REASONS]
    rows = queries.exceptions_by_id(conn, merchants=[m for m, _ in wanted], exceptions=[e for _, e in wanted])
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in sorted([r async for r in rows], key=lambda r: REASONS.index(r["reason"])):
        key = (row["merchant_id"], str(row["purchase_id"]))
        found[key] = (*found.get(key, ()), row["reason"])
    return found


async def unknown_customer_of(conn: Conn, merchant_id: str, purchase_id: str) -> str:
    """Return the customer id that an offline sale named in vain, "" where there was none."""
    id_ = id_of(merchant_id, purchase_id, "CUSTOMER_UNKNOWN")
    rows = queries.exceptions_by_id(conn, merchants=[merchant_id], exceptions=[id_])
    return "".join([str(row["subject"]) async for row in rows])


async def resolve(conn: Conn, requests: Sequence[Resolve], wait: bool) -> list[Any]:
    """Note how exceptions were dealt with, once a request; answers their present state."""
    del wait  # a resolution holds its row for one statement
    return [await _resolve(conn, request) for request in requests]


async def _resolve(conn: Conn, request: Resolve) -> Any:
    key = {"merchant_id": request.merchant_id, "exception_id": request.exception_id}
    fresh = await remember(
        conn,
        request.merchant_id,
        "ResolvePurchaseException",
        request.request_id,
        fingerprint(1, request.exception_id, request.resolution, request.staff_ref),
        request.now,
    )
    row = await queries.lock_exception(conn, **key)
    if row is None:
        raise ExceptionNotFound(f"there is no exception {request.exception_id}; ListExceptions lists them")
    if not fresh:
        return row
    if row["resolved_at"] is not None:
        raise AlreadyResolved("another request has resolved this exception; read it with ListExceptions")
    await queries.resolve_exception(
        conn, resolution=request.resolution, resolved_by=request.staff_ref, now=request.now, **key
    )
    return await queries.lock_exception(conn, **key)


async def page(
    conn: Conn,
    merchant_id: str,
    *,
    store_id: str,
    include_resolved: bool,
    before: tuple[datetime, str] | None,
    size: int,
) -> list[Any]:
    """Return a page of exceptions, newest first."""
    query = queries.list_all_exceptions if include_resolved else queries.list_open_exceptions
    at, id_ = before or (None, None)
    rows = query(conn, merchant_id=merchant_id, store_id=store_id, before_at=at, before_id=id_, size=size)
    return [row async for row in rows]
