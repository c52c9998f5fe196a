"""The only code that reads and writes payments; where they went is in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credit.accounts.model import Account, Effect, Key
from credit.errors import PaymentNotFound
from credit.holds.model import Till
from credit.pages import Before
from credit.payments.model import Payment, State
from kit import db
from kit.errors import IdempotencyConflict

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class Changing:
    """A payment that a request wants to change; `done`: the same request did so before."""

    found: Payment
    done: bool


@dataclass(frozen=True, slots=True)
class Payout:
    """Credit balance returned to a customer, minor units."""

    key: Key
    payout_id: str
    amount: int
    method: int
    reference: str
    credit_balance_after: int
    paid_out_at: datetime


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
            state=State(row["state"]),
            amount=row["amount"],
            method=row["method"],
            reference=row["reference"],
            named=tuple(str(each) for each in row["named"]),
            allocations=tuple(parts[str(row["payment_id"])]),
            unapplied=row["unapplied"],
            outstanding_after=row["outstanding_after"],
            effective_at=row["effective_at"],
            received_at=row["received_at"],
            cleared_at=_cleared_at(row),
            reversed_at=row["reversed_at"],
            reversal_reason=row["reversal_reason"],
        )
        for row in rows
    ]


def _cleared_at(row: Any) -> datetime | None:
    """Return when a payment was booked; earlier releases wrote no other time than effective_at."""
    cleared: datetime | None = row["cleared_at"]
    return row["effective_at"] if cleared is None and row["state"] == State.RECEIVED else cleared


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
        state=payment.state,
        named=payment.named,
        cleared_at=payment.cleared_at,
    )
    return written is not None


async def find_for_change(
    conn: db.Conn, account: Account, request_id: str, payment_id: str, content: bytes
) -> Changing:
    """Return a payment of a locked account and whether the request is a repeated one.

    Raises PAYMENT_NOT_FOUND, and IDEMPOTENCY_CONFLICT where the request id asked something else.
    """
    before = await queries.find_change(conn, merchant_id=account.merchant_id, request_id=request_id)
    if before is not None and before["fingerprint"] != content:
        raise IdempotencyConflict("request", request_id)
    found = await find(conn, account.key, payment_id)
    if found is None or found[0].key != account.key:
        raise PaymentNotFound(payment_id)
    return Changing(found[0], before is not None)


async def change(
    conn: db.Conn,
    payment: Payment,
    *,
    kind: str,
    request_id: str,
    content: bytes,
    note: str,
    staff_ref: str,
    at: datetime,
) -> None:
    """Write where a payment stands now and remember the request that moved it."""
    await queries.move(
        conn,
        merchant_id=payment.key.merchant_id,
        payment_id=payment.payment_id,
        state=payment.state,
        unapplied=payment.unapplied,
        outstanding_after=payment.outstanding_after,
        cleared_at=payment.cleared_at,
        reversed_at=payment.reversed_at,
        reversal_reason=payment.reversal_reason,
    )
    taken = await queries.add_change(
        conn,
        merchant_id=payment.key.merchant_id,
        request_id=request_id,
        customer_id=payment.key.customer_id,
        payment_id=payment.payment_id,
        kind=kind,
        fingerprint=content,
        note=note,
        staff_ref=staff_ref,
        changed_at=at,
    )
    if taken is None:
        raise IdempotencyConflict("request", request_id)


async def credit_uses(conn: db.Conn, payment: Payment) -> list[tuple[str, int]]:
    """Return (invoice id, credit used and not given back) since a payment was booked, newest first."""
    rows = queries.credit_uses(
        conn,
        merchant_id=payment.key.merchant_id,
        customer_id=payment.key.customer_id,
        payment_id=payment.payment_id,
    )
    return [(str(row["invoice_id"]), row["used"]) async for row in rows]


async def undone(conn: db.Conn, payment: Payment) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return what a payment's reversal made owed again, (invoice id, amount), and the credit it took."""
    rows = queries.undone(
        conn,
        merchant_id=payment.key.merchant_id,
        customer_id=payment.key.customer_id,
        payment_id=payment.payment_id,
    )
    owed_again: list[tuple[str, int]] = []
    taken = 0
    async for row in rows:
        if row["effect"] == Effect.CREDIT_TAKEN:
            taken -= row["credit"]
        else:
            owed_again.append((str(row["invoice_id"]), row["posted"]))
    return tuple(owed_again), taken


async def find_payout(conn: db.Conn, merchant_id: str, payout_id: str) -> tuple[Payout, bytes] | None:
    """Return a payout with its fingerprint; it may be another customer's."""
    row = await queries.find_payout(conn, merchant_id=merchant_id, payout_id=payout_id)
    if row is None:
        return None
    return _payout(row), row["fingerprint"]


async def payouts_page(conn: db.Conn, key: Key, *, before: Before, size: int) -> list[Payout]:
    """Return a page of a customer's payouts, newest first."""
    rows = queries.payouts_page(
        conn,
        merchant_id=key.merchant_id,
        customer_id=key.customer_id,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return [_payout(row) async for row in rows]


def _payout(row: Any) -> Payout:
    return Payout(
        key=Key(row["merchant_id"], row["customer_id"]),
        payout_id=str(row["payout_id"]),
        amount=row["amount"],
        method=row["method"],
        reference=row["reference"],
        credit_balance_after=row["credit_balance_after"],
        paid_out_at=row["paid_out_at"],
    )


async def add_payout(conn: db.Conn, payout: Payout, content: bytes, till: Till) -> bool:
    """Write a payout; False: another customer's request took the id meanwhile."""
    written = await queries.add_payout(
        conn,
        merchant_id=payout.key.merchant_id,
        payout_id=payout.payout_id,
        customer_id=payout.key.customer_id,
        amount=payout.amount,
        method=payout.method,
        reference=payout.reference,
        credit_balance_after=payout.credit_balance_after,
        fingerprint=content,
        origin=till.origin,
        paid_out_at=payout.paid_out_at,
    )
    return written is not None
