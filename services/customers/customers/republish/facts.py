"""What was recorded in a span of time, as events again, in the order in which it came to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from customers.purchases.tenders import as_told
from kit import db
from kit.events import Outgoing
from langganan.events.v1.customers_pb2 import CustomerErased
from langganan.events.v1.purchases_pb2 import PurchaseCompleted, PurchaseReturned

queries = db.load(__file__)
log = structlog.get_logger()
Told = TypeVar("Told", bound=Message)
PAGE = 200
_NIL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Span:
    """Received in [from_time, to_time); merchant_id "" for all."""

    from_time: datetime
    to_time: datetime
    merchant_id: str = ""


# What puts facts of one instant in order: sales, then returns (of one sale by revision), then erasures.
Place = tuple[datetime, int, str, int]
Fact = tuple[Place, Outgoing]


async def facts(pool: db.Pool, span: Span) -> AsyncIterator[Outgoing]:
    """Yield all facts of a span in order, each under a fresh event id; one page of each kind in hand."""
    streams = [_sales(pool, span), _returns(pool, span), _erasures(pool, span)]
    heads = [await anext(stream, None) for stream in streams]
    while any(heads):
        first = min((head[0], n) for n, head in enumerate(heads) if head is not None)[1]
        head = heads[first]
        assert head is not None, "the least of those that are there"
        yield head[1]
        heads[first] = await anext(streams[first], None)


async def _pages(
    pool: db.Pool, span: Span, query: Any, after: dict[str, Any], place: dict[str, str]
) -> AsyncIterator[Any]:
    """Yield the rows of a query, page by page; `place` tells which column says where a page ended."""
    while True:
        async with pool.acquire(timeout=5) as conn:
            rows = [
                row
                async for row in query(
                    conn, to_time=span.to_time, merchant_id=span.merchant_id, size=PAGE, **after
                )
            ]
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = {name: rows[-1][column] for name, column in place.items()}


async def _sales(pool: db.Pool, span: Span) -> AsyncIterator[Fact]:
    after = {"after_at": span.from_time, "after_id": _NIL}
    place = {"after_at": "received_at", "after_id": "purchase_id"}
    async for row in _pages(pool, span, queries.purchases, after, place):
        id_ = str(row["purchase_id"])
        sale = _readable(PurchaseCompleted, row)
        if sale is None:
            continue
        event = as_told(sale)
        key = row["customer_id"] or id_
        told = Outgoing("purchase-completed", row["merchant_id"], key, event, row["received_at"])
        yield (row["received_at"], 0, id_, 0), told


async def _returns(pool: db.Pool, span: Span) -> AsyncIterator[Fact]:
    after = {"after_at": span.from_time, "after_id": _NIL, "after_revision": 0}
    place = {"after_at": "received_at", "after_id": "purchase_id", "after_revision": "revision"}
    async for row in _pages(pool, span, queries.returns, after, place):
        id_ = str(row["purchase_id"])
        event = _readable(PurchaseReturned, row)
        if event is None:
            continue
        key = event.customer_id or id_
        told = Outgoing("purchase-returned", row["merchant_id"], key, event, row["received_at"])
        yield (row["received_at"], 1, id_, row["revision"]), told


async def _erasures(pool: db.Pool, span: Span) -> AsyncIterator[Fact]:
    after = {"after_at": span.from_time, "after_merchant": "", "after_customer": ""}
    place = {"after_at": "erased_at", "after_merchant": "merchant_id", "after_customer": "customer_id"}
    async for row in _pages(pool, span, queries.erasures, after, place):
        at = Timestamp()
        at.FromDatetime(row["erased_at"])
        names = {"merchant_id": row["merchant_id"], "customer_id": row["customer_id"]}
        event = CustomerErased(erased_at=at, **names)
        told = Outgoing(
            "customer-erased", names["merchant_id"], names["customer_id"], event, row["erased_at"]
        )
        yield (row["erased_at"], 2, names["customer_id"], 0), told


def _readable(kind: type[Told], row: Any) -> Told | None:
    """Return what was told; what is not readable any more is passed over and logged: the audit names it."""
    try:
        return kind.FromString(row["body"])
    except DecodeError:
        log.error("fact_not_readable", merchant=row["merchant_id"], purchase=str(row["purchase_id"]))
        return None
