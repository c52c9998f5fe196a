"""PaymentService: books payments on account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from credit import pages
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account
from credit.callers import account_key, till
from credit.payments import store
from credit.payments.model import Payment
from credit.payments.record import Paid, record
from kit import batch, db, ids, paging, pan
from kit.clock import Clock
from langganan.credit.v1 import payments_pb2, payments_pb2_grpc


class PaymentService(payments_pb2_grpc.PaymentServiceServicer):
    """The servicer."""

    def __init__(self, pool: db.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def RecordPayment(
        self, request: payments_pb2.RecordPaymentRequest, context: Any
    ) -> payments_pb2.RecordPaymentResponse:
        """Book a payment, oldest invoice first."""
        pan.refuse([request.reference])
        paid = Paid(
            key=account_key(request.customer_id),
            payment_id=ids.canonical_uuid(request.payment_id, "payment_id"),
            amount=request.amount,
            method=int(request.method),
            reference=request.reference,
            allow_credit_balance=request.allow_credit_balance,
            occurred_at=_occurred_at(request),
            at=self._clock.now(),
            till=till(request.origin),
        )
        payment, account = await batch.once(self._pool, record, paid)
        return payments_pb2.RecordPaymentResponse(payment=_show(payment, account))

    async def ListPayments(
        self, request: payments_pb2.ListPaymentsRequest, context: Any
    ) -> payments_pb2.ListPaymentsResponse:
        """List a customer's payments, newest first."""
        key = account_key(request.customer_id)
        filter_ = ("payments", *key)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.page(conn, key, before=before, size=size + 1)
            owners = await accounts.read(conn, [key])
        return payments_pb2.ListPaymentsResponse(
            payments=[_show(p, owners[key]) for p in found[:size]],
            next_page_token=paging.next_token(
                found, size, lambda p: (p.effective_at, p.payment_id), *filter_
            ),
        )


def _occurred_at(request: payments_pb2.RecordPaymentRequest) -> datetime | None:
    """Return the caller's time; None where it names none, or one that no calendar holds: money was paid."""
    if not request.HasField("occurred_at"):
        return None
    try:
        return request.occurred_at.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None


def _show(payment: Payment, account: Account) -> payments_pb2.Payment:
    return payments_pb2.Payment(
        payment_id=payment.payment_id,
        customer_id=payment.key.customer_id,
        amount=encode.money(account, payment.amount),
        method=payments_pb2.PaymentMethod.Name(payment.method),  # type: ignore[arg-type]
        reference=payment.reference,
        allocations=[
            payments_pb2.Allocation(invoice_id=invoice_id, amount=encode.money(account, amount))
            for invoice_id, amount in payment.allocations
        ],
        unapplied=encode.money(account, payment.unapplied),
        outstanding_after=encode.money(account, payment.outstanding_after),
        effective_at=encode.stamp(payment.effective_at),
        received_at=encode.stamp(payment.received_at),
    )
