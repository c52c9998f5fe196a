"""Reads a purchase as it stands: whose it is, its sale, its returns, and what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from customers.purchases import exceptions
from customers.purchases.errors import PurchaseNotFound
from customers.purchases.left import Left, LineLeft, TenderLeft
from customers.purchases.splitting import Reason
from customers.purchases.sql import queries
from kit.db import Conn
from kit.money import Currency, to_minor
from langganan.events.v1.purchases_pb2 import PurchaseCompleted, PurchaseReturned
from langganan.types.v1.line_pb2 import LINE_KIND_ROUNDING


@dataclass(frozen=True, slots=True)
class Standing:
    """A purchase as it stands: its row, its sale, what is left, its returns (rows with event)."""

    row: Any
    sale: PurchaseCompleted
    currency: Currency
    left: Left
    returns: tuple[tuple[Any, PurchaseReturned], ...]


async def owner_of(conn: Conn, merchant_id: str, purchase_id: str, named: str) -> str:
    """Return whose purchase it is; raises PURCHASE_NOT_FOUND where a request names somebody else.

    The id that an offline sale named in vain passes for the anonymous sale that became of it.
    """
    row = await queries.purchase_of(conn, merchant_id=merchant_id, purchase_id=purchase_id)
    if row is None:
        raise PurchaseNotFound(purchase_id)
    owner = str(row["customer_id"])
    if named != owner:
        claimed = "" if owner else await exceptions.unknown_customer_of(conn, merchant_id, purchase_id)
        if not claimed or named != claimed:
            raise PurchaseNotFound(purchase_id)
    return owner


async def standing(conn: Conn, merchant_id: str, purchase_id: str) -> Standing:
    """Read a purchase and fold its returns; raises PURCHASE_NOT_FOUND."""
    row = await queries.purchase(conn, merchant_id=merchant_id, purchase_id=purchase_id)
    if row is None:
        raise PurchaseNotFound(purchase_id)
    rows = []
    if row["revision"] > 1:
        found = queries.returns_of(conn, merchant_id=merchant_id, purchase_id=purchase_id)
        rows = [r async for r in found]
    sale = PurchaseCompleted.FromString(row["body"])
    currency = Currency(sale.currency_code, sale.minor_digits)
    returns = tuple((r, PurchaseReturned.FromString(r["body"])) for r in rows)
    return Standing(row, sale, currency, left_of(sale, currency, [e for _, e in returns]), returns)


def left_of(sale: PurchaseCompleted, currency: Currency, returns: Sequence[PurchaseReturned]) -> Left:
    """Return what is left of a sale after these returns."""
    lines = []
    for line in sale.lines:
        net, quantity = to_minor(line.net, currency), line.quantity.thousandths
        lines.append(LineLeft(line.line_id, net, quantity, net, quantity, line.kind == LINE_KIND_ROUNDING))
    tenders = [
        TenderLeft(t.tender_id, to_minor(t.amount, currency), t.WhichOneof("means") == "on_account")
        for t in sale.tenders
    ]
    left = Left(tuple(lines), tuple(tenders))
    line_at = {line.line_id: i for i, line in enumerate(lines)}
    tender_at = {tender.tender_id: i for i, tender in enumerate(tenders)}
    for event in returns:
        left = left.less(
            [(line_at[p.line_id], p.quantity_thousandths, p.amount) for p in event.lines],
            [(tender_at[r.tender_id], r.amount) for r in event.refunds],
            void=event.reason == Reason.VOID.name,
        )
    return left
