"""The only code that reads and writes payments; where they went is in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from credit.accounts.model import Key
from credit.holds.model import Till
from credit.pages import Before
from credit.payments.model import Payment
from kit import db

queries = db.load(__file__)


async def find(conn: db.Conn, key: Key, payment_id: str) -> tuple[Payment, bytes] | None:
    """Return a payment with its fingerprint; it may be another customer's."""
    row = await queries.find(conn, merchant_id=key.merchant_id, payment_id=payment_id)
    if row is None:
        return None
    (payment,) = await _decode(conn, Key(key.merchant_id, row["customer_id"]), [row])
    return payment, row["fingerprint"]


async def page(conn: db.Conn, key: Key, *, before: Before, size: int) -> list[Payment]:
    """Return a page of a customer's payments, newest first."""
    rows = queries.page(
        conn,
        merchant_id=key.merchant_id,
        customer_id=key.customer_id,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return await _decode(conn, key, [row async for row in rows])


async def _decode(conn: db.Conn, key: Key, rows: Sequence[Any]) -> list[Payment]:
    parts: dict[str, list[tuple[str, int]]] = {str(row["payment_id"]): [] for row in rows}
    async for part in queries.allocations(
        conn, merchant_id=key.merchant_id, customer_id=key.customer_id, payment_ids=list(parts)
    ):
        parts[str(part["cause_id"])].append((str(part["invoice_id"]), part["amount"]))
    return [
        Payment(
            key=key,
            payment_id=str(row["payment_id"]),
            amount=row["amount"],
            method=row["method"],
            reference=row["reference"],
            allocations=tuple(parts[str(row["payment_id"])]),
            unapplied=row["unapplied"],
            outstanding_after=row["outstanding_after"],
            effective_at=row["effective_at"],
            received_at=row["received_at"],
        )
        for row in rows
    ]


async def add(conn: db.Conn, payment: Payment, content: bytes, till: Till) -> bool:
    """Write a payment; False: another customer's request took the id meanwhile."""
    written = await queries.add(
        conn,
        merchant_id=payment.key.merchant_id,
        payment_id=payment.payment_id,
        customer_id=payment.key.customer_id,
        amount=payment.amount,
        method=payment.method,
        reference=payment.reference,
        unapplied=payment.unapplied,
        outstanding_after=payment.outstanding_after,
        fingerprint=content,
        store_id=till.store_id,
        register_id=till.register_id,
        staff_ref=till.staff_ref,
        origin=till.origin,
        effective_at=payment.effective_at,
        received_at=payment.received_at,
    )
    return written is not None
