"""PaymentService: books payments on account, undoes them and pays credit balances out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from credit import pages
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account
from credit.callers import account_key, till
from credit.payments import encoding, store
from credit.payments.confirm import Confirmation, confirm
from credit.payments.payout import Wanted, pay_out
from credit.payments.record import Paid, record
from credit.payments.reverse import Reversal, reverse
from kit import batch, db, ids, neutral, paging
from kit.clock import Clock
from langganan.credit.v1 import payments_pb2, payments_pb2_grpc


class PaymentService(payments_pb2_grpc.PaymentServiceServicer):
    """The servicer."""

    def __init__(self, pool: db.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def RecordPayment(
        self, request: payments_pb2.RecordPaymentRequest, context: Any
    ) -> payments_pb2.RecordPaymentResponse:
        """Book a payment, or note one that clears later."""
        neutral.refuse_in_reference(reference=request.reference)
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
            named=tuple(ids.canonical_uuid(i, "invoice_ids") for i in request.invoice_ids),
            clears_later=request.method == payments_pb2.PAYMENT_METHOD_GIRO,
        )
        payment, account = await batch.once(self._pool, record, paid)
        return payments_pb2.RecordPaymentResponse(payment=encoding.payment(payment, account))

    async def ConfirmPayment(
        self, request: payments_pb2.ConfirmPaymentRequest, context: Any
    ) -> payments_pb2.ConfirmPaymentResponse:
        """Book a pending payment, for its giro has cleared."""
        wish = Confirmation(
            key=account_key(request.customer_id),
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            payment_id=ids.canonical_uuid(request.payment_id, "payment_id"),
            occurred_at=_occurred_at(request),
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        payment, account = await batch.once(self._pool, confirm, wish)
        return payments_pb2.ConfirmPaymentResponse(payment=encoding.payment(payment, account))

    async def ReversePayment(
        self, request: payments_pb2.ReversePaymentRequest, context: Any
    ) -> payments_pb2.ReversePaymentResponse:
        """Undo a payment that turned out not to be one."""
        neutral.refuse(note=request.note)
        wish = Reversal(
            key=account_key(request.customer_id),
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            payment_id=ids.canonical_uuid(request.payment_id, "payment_id"),
            reason=encoding.reason_of(request.reason),
            note=request.note,
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        done = await batch.once(self._pool, reverse, wish)
        return payments_pb2.ReversePaymentResponse(
            payment=encoding.payment(done.payment, done.account),
            owed_again=encoding.allocations(done.owed_again, done.account),
            taken_from_credit=encode.money(done.account, done.taken),
            outstanding=encode.money(done.account, done.account.posted),
        )

    async def PayOut(self, request: payments_pb2.PayOutRequest, context: Any) -> payments_pb2.PayOutResponse:
        """Return credit balance to the customer."""
        neutral.refuse_in_reference(reference=request.reference)
        wish = Wanted(
            key=account_key(request.customer_id),
            payout_id=ids.canonical_uuid(request.payout_id, "payout_id"),
            amount=request.amount,
            method=int(request.method),
            reference=request.reference,
            at=self._clock.now(),
            till=till(request.origin),
        )
        payout, account = await batch.once(self._pool, pay_out, wish)
        return payments_pb2.PayOutResponse(payout=encoding.payout(payout, account))

    async def ListPayments(
        self, request: payments_pb2.ListPaymentsRequest, context: Any
    ) -> payments_pb2.ListPaymentsResponse:
        """List a customer's payments, newest first."""
        key = account_key(request.customer_id)
        filter_ = ("payments", *key)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            owner = (await accounts.read(conn, [key])).get(key, Account(*key))
            found = await store.page(conn, owner.key, before=before, size=size + 1)
        return payments_pb2.ListPaymentsResponse(
            payments=[encoding.payment(p, owner) for p in found[:size]],
            next_page_token=paging.next_token(
                found, size, lambda p: (p.effective_at, p.payment_id), *filter_
            ),
        )

    async def ListPayouts(
        self, request: payments_pb2.ListPayoutsRequest, context: Any
    ) -> payments_pb2.ListPayoutsResponse:
        """List the credit balances returned to a customer, newest first."""
        key = account_key(request.customer_id)
        filter_ = ("payouts", *key)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            owner = (await accounts.read(conn, [key])).get(key, Account(*key))
            found = await store.payouts_page(conn, owner.key, before=before, size=size + 1)
        return payments_pb2.ListPayoutsResponse(
            payouts=[encoding.payout(p, owner) for p in found[:size]],
            next_page_token=paging.next_token(found, size, lambda p: (p.paid_out_at, p.payout_id), *filter_),
        )


def _occurred_at(
    request: payments_pb2.RecordPaymentRequest | payments_pb2.ConfirmPaymentRequest,
) -> datetime | None:
    """Return the caller's time; None where it names none, or one that no calendar holds: money was paid."""
    if not request.HasField("occurred_at"):
        return None
    try:
        return request.occurred_at.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None
