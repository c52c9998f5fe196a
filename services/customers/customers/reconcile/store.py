"""The only SQL of reconcile: sales received in a span, each with its returns, in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from google.protobuf.message import DecodeError

from customers.reconcile.model import Back, OnAccount, Sold
from kit import db
from kit.errors import DomainError
from kit.ids import valid_customer_id
from kit.money import Currency, to_minor
from langganan.events.v1.purchases_pb2 import PurchaseCompleted, PurchaseReturned
from langganan.types.v1.tender_pb2 import TENDER_KIND_ON_ACCOUNT

queries = db.load(__file__)
PAGE = 200
_NIL = "00000000-0000-0000-0000-000000000000"


async def sold(pool: db.Pool, from_time: datetime, to_time: datetime) -> AsyncIterator[list[Sold]]:
    """Yield pages of the sales that were received in the span, then of those that had returns in it."""
    after: dict[str, Any] = {"after_at": from_time, "after_id": _NIL}
    while True:
        async with pool.acquire(timeout=5) as conn:
            rows = [row async for row in queries.received(conn, to_time=to_time, size=PAGE, **after)]
            page = await _with_returns(conn, rows, to_time)
        if page:
            yield page
        if len(rows) < PAGE:
            break
        after = {"after_at": rows[-1]["received_at"], "after_id": rows[-1]["purchase_id"]}
    after = {"after_at": from_time, "after_id": _NIL, "after_revision": 0}
    while True:
        async with pool.acquire(timeout=5) as conn:
            rows = [row async for row in queries.returned(conn, to_time=to_time, size=PAGE, **after)]
            before = {
                (row["merchant_id"], row["purchase_id"]): row for row in rows if row["sold_at"] < from_time
            }
            page = await _with_returns(conn, list(before.values()), to_time)
        if page:
            yield page
        if len(rows) < PAGE:
            return
        last = rows[-1]
        after = {"after_at": last["received_at"], "after_id": last["purchase_id"]}
        after["after_revision"] = last["revision"]


async def _with_returns(conn: db.Conn, rows: list[Any], to_time: datetime) -> list[Sold]:
    if not rows:
        return []
    returns: dict[tuple[str, str], list[bytes]] = {}
    async for row in queries.returns_of(
        conn,
        merchants=[r["merchant_id"] for r in rows],
        purchases=[r["purchase_id"] for r in rows],
        to_time=to_time,
    ):
        returns.setdefault((row["merchant_id"], str(row["purchase_id"])), []).append(row["body"])
    return [_read(row, returns.get((row["merchant_id"], str(row["purchase_id"])), [])) for row in rows]


def _read(row: Any, returns: list[bytes]) -> Sold:
    try:
        sale = PurchaseCompleted.FromString(row["body"])
        return _sold(sale, [PurchaseReturned.FromString(body) for body in returns])
    except (DecodeError, DomainError):  # an amount that its currency cannot hold
        return Sold(row["merchant_id"], str(row["purchase_id"]), row["customer_id"], (), (), readable=False)


def _sold(sale: PurchaseCompleted, returns: list[PurchaseReturned]) -> Sold:
    currency = Currency(sale.currency_code, sale.minor_digits)
    on_account = []
    for tender in sale.tenders:
        if tender.WhichOneof("means") != "on_account":
            continue
        payer = tender.on_account.account_customer_id or sale.customer_id
        if valid_customer_id(payer):  # else it is nobody's: listed for staff, never posted
            on_account.append(OnAccount(tender.tender_id, payer, to_minor(tender.amount, currency)))
    return Sold(
        sale.merchant_id,
        sale.purchase_id,
        sale.customer_id,
        tuple(on_account),
        tuple(
            Back(
                event.return_id,
                {r.tender_id: r.amount for r in event.refunds if r.kind == TENDER_KIND_ON_ACCOUNT},
            )
            for event in returns
        ),
    )
