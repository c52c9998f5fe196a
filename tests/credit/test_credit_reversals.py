"""Payments that clear later, name their invoices, turn out to be none, and credit that is paid out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import holds_pb2, invoices_pb2, payments_pb2
from langganan.events.v1 import credit_pb2
from tests.credit.conftest import TILL, rupiah
from tests.credit.paying import confirming, giro, owing, paying_out, reverse, reversing


async def outstanding(credit, customer):
    """What each invoice owes, oldest first."""
    return [i.outstanding.units for i in reversed(await credit.invoices_of(customer))]


async def balances(credit, customer):
    account = await credit.account(customer)
    await credit.check_books(customer)
    return account.posted.units, account.credit_balance.units


def parts(allocations):
    return [(a.invoice_id, a.amount.units) for a in allocations]


async def test_named_invoices_are_paid_first_and_then_the_oldest(credit, refused):
    customer, (first, second, third) = await owing(credit, 10_000, 20_000, 30_000)
    request = payments_pb2.RecordPaymentRequest(
        payment_id=new_uuid(),
        customer_id=customer,
        amount=rupiah(54_000),
        method=payments_pb2.PAYMENT_METHOD_TRANSFER,
        origin=TILL,
        invoice_ids=[third, second],
    )
    paid = (await credit.payments.RecordPayment(request)).payment
    assert parts(paid.allocations) == [(third, 30_000), (second, 20_000), (first, 4_000)]
    assert list(paid.invoice_ids) == [third, second]
    assert (paid.unapplied.units, paid.outstanding_after.units) == (0, 6_000)
    assert (await credit.payments.RecordPayment(request)).payment == paid
    request.invoice_ids.reverse()
    assert await refused(credit.payments.RecordPayment(request)) == "IDEMPOTENCY_CONFLICT"
    # What is settled by then is passed over.
    request.payment_id, request.amount.units = new_uuid(), 1_000
    paid = (await credit.payments.RecordPayment(request)).payment
    assert parts(paid.allocations) == [(first, 1_000)]
    assert await balances(credit, customer) == (5_000, 0)


async def test_an_invoice_of_somebody_else_cannot_be_named(credit, refused):
    customer, _ = await owing(credit, 10_000)
    _, (theirs,) = await owing(credit, 10_000)
    for named in (theirs, new_uuid()):
        for method in (payments_pb2.PAYMENT_METHOD_CASH, payments_pb2.PAYMENT_METHOD_GIRO):
            request = payments_pb2.RecordPaymentRequest(
                payment_id=new_uuid(),
                customer_id=customer,
                amount=rupiah(1_000),
                method=method,
                origin=TILL,
                invoice_ids=[named],
            )
            assert await refused(credit.payments.RecordPayment(request)) == "INVOICE_NOT_FOUND"
    assert await credit.count("payments") == 0


async def test_a_giro_books_nothing_until_it_clears(credit):
    customer, (invoice,) = await owing(credit, 50_000)
    pending = await giro(credit, customer, 20_000)
    assert pending.state == payments_pb2.PAYMENT_STATE_PENDING
    assert not pending.HasField("cleared_at")
    assert pending.outstanding_after.units == 50_000
    assert await balances(credit, customer) == (50_000, 0)
    said = len(await credit.facts(customer))
    cleared = Timestamp(seconds=int((credit.run.clock.now() - timedelta(hours=3)).timestamp()))
    request = confirming(pending, occurred_at=cleared)
    replies = await asyncio.gather(*(credit.payments.ConfirmPayment(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    received = replies[0].payment
    assert received.state == payments_pb2.PAYMENT_STATE_RECEIVED
    assert (parts(received.allocations), received.cleared_at) == ([(invoice, 20_000)], cleared)
    assert await balances(credit, customer) == (30_000, 0)
    (told,) = (await credit.facts(customer))[said:]
    assert isinstance(told, credit_pb2.PaymentReceived)
    assert (told.payment_id, told.amount, told.outstanding) == (pending.payment_id, 20_000, 30_000)
    assert told.received_at == cleared
    listed = await credit.payments.ListPayments(payments_pb2.ListPaymentsRequest(customer_id=customer))
    assert list(listed.payments) == [received]


async def test_a_giro_that_clears_after_everything_is_paid_becomes_credit_balance(credit):
    customer, (invoice,) = await owing(credit, 50_000)
    pending = await giro(credit, customer, 30_000, invoice_ids=[invoice])
    await credit.pay(customer, 45_000)
    received = (await credit.payments.ConfirmPayment(confirming(pending))).payment
    assert (parts(received.allocations), received.unapplied.units) == ([(invoice, 5_000)], 25_000)
    assert await balances(credit, customer) == (0, 25_000)


async def test_a_giro_that_bounces_books_nothing(credit, refused):
    customer, _ = await owing(credit, 50_000)
    pending = await giro(credit, customer, 20_000)
    done = await reverse(credit, pending)
    assert done.payment.state == payments_pb2.PAYMENT_STATE_REVERSED
    assert (list(done.owed_again), done.taken_from_credit.units, done.outstanding.units) == ([], 0, 50_000)
    assert await balances(credit, customer) == (50_000, 0)
    assert await credit.count("entries") == 1
    told = (await credit.facts(customer))[-1]
    assert isinstance(told, credit_pb2.PaymentReversed)
    assert (told.amount, told.reason, list(told.allocations)) == (20_000, "BOUNCED", [])
    assert await refused(credit.payments.ConfirmPayment(confirming(pending))) == "ALREADY_REVERSED"


async def test_a_payment_is_confirmed_and_reversed_once_and_by_its_customer(credit, refused):
    customer, _ = await owing(credit, 50_000)
    other, _ = await owing(credit, 1_000)
    paid = await credit.pay(customer, 20_000)
    assert await refused(credit.payments.ConfirmPayment(confirming(paid))) == "ALREADY_RECEIVED"
    foreign = reversing(paid, customer_id=other)
    assert await refused(credit.payments.ReversePayment(foreign)) == "PAYMENT_NOT_FOUND"
    request = reversing(paid, note="bank said so", staff_ref="s1")
    replies = await asyncio.gather(*(credit.payments.ReversePayment(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    assert replies[0].outstanding.units == 50_000
    assert await refused(credit.payments.ReversePayment(reversing(paid))) == "ALREADY_REVERSED"
    request.note = "another"
    assert await refused(credit.payments.ReversePayment(request)) == "IDEMPOTENCY_CONFLICT"
    theirs = await credit.pay(other, 500)
    taken = reversing(theirs, request_id=request.request_id)
    assert await refused(credit.payments.ReversePayment(taken)) == "IDEMPOTENCY_CONFLICT"
    silent = reversing(theirs, reason=payments_pb2.REVERSAL_REASON_UNSPECIFIED)
    assert await refused(credit.payments.ReversePayment(silent)) == "INVALID_FIELDS"
    card = reversing(theirs, note="4111 1111 1111 1111")
    assert await refused(credit.payments.ReversePayment(card)) == "PAN_NOT_ALLOWED"
    reversed_ = [f for f in await credit.facts(customer) if isinstance(f, credit_pb2.PaymentReversed)]
    assert len(reversed_) == 1


async def test_16_reversals_of_one_payment_by_different_requests_undo_it_once(credit):
    customer, _ = await owing(credit, 50_000)
    paid = await credit.pay(customer, 20_000)
    calls = [credit.payments.ReversePayment(reversing(paid)) for _ in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert len([r for r in replies if not isinstance(r, BaseException)]) == 1
    assert await balances(credit, customer) == (50_000, 0)


async def test_a_reversal_undoes_the_newest_allocation_first_and_says_so(credit):
    customer, (first, second) = await owing(credit, 10_000, 30_000)
    paid = await credit.pay(customer, 25_000)
    done = await reverse(credit, paid)
    assert parts(done.owed_again) == [(second, 15_000), (first, 10_000)]
    assert parts(done.payment.allocations) == [(first, 10_000), (second, 15_000)]
    assert await outstanding(credit, customer) == [10_000, 30_000]
    told = (await credit.facts(customer))[-1]
    assert [(a.invoice_id, a.amount) for a in told.allocations] == [(second, 15_000), (first, 10_000)]
    assert (told.outstanding, told.taken_from_credit, told.currency_code) == (40_000, 0, "IDR")
    # An invoice that is owed again can be paid again, and says so again.
    await credit.pay(customer, 40_000)
    settled = [f for f in await credit.facts(customer) if isinstance(f, credit_pb2.InvoicePaid)]
    assert [f.invoice_id for f in settled] == [first, first, second]
    assert await balances(credit, customer) == (0, 0)


async def test_a_reversal_takes_the_credit_that_is_there_and_reopens_what_the_rest_had_paid(credit):
    customer, (first,) = await owing(credit, 10_000)
    paid = await credit.pay(customer, 100_000, allow=True)
    for amount in (20_000, 50_000):
        await credit.deliver(credit.sale(customer, (amount, None)))
    _, second, third = [i.invoice_id for i in sorted(await credit.invoices_of(customer), key=by_amount)]
    assert await balances(credit, customer) == (0, 20_000)
    done = await reverse(credit, paid)
    assert parts(done.owed_again) == [(third, 50_000), (second, 20_000), (first, 10_000)]
    assert done.taken_from_credit.units == 90_000
    assert await balances(credit, customer) == (80_000, 0)


def by_amount(invoice):
    return invoice.amount.units


async def test_credit_used_before_the_payment_is_not_its(credit):
    customer, _ = await owing(credit)
    await credit.pay(customer, 30_000, allow=True)
    await credit.deliver(credit.sale(customer, (30_000, None)))  # paid by the credit of the first
    second = await credit.pay(customer, 5_000, allow=True)
    await credit.deliver(credit.sale(customer, (5_000, None)))
    done = await reverse(credit, second)
    assert [a.amount.units for a in done.owed_again] == [5_000]
    open_now = [i.amount.units for i in await credit.invoices_of(customer) if i.outstanding.units]
    assert open_now == [5_000]
    assert await balances(credit, customer) == (5_000, 0)


async def test_what_was_paid_out_is_charged_anew_and_due_at_once(credit):
    customer, _ = await owing(credit, net_days=30)
    paid = await credit.pay(customer, 70_000, allow=True)
    await credit.payments.PayOut(paying_out(customer, 60_000))
    done = await reverse(credit, paid)
    (invoice,) = await credit.invoices_of(customer)
    assert parts(done.owed_again) == [(invoice.invoice_id, 60_000)]
    assert done.taken_from_credit.units == 10_000
    assert (invoice.amount.units, invoice.due_on, invoice.purchase_id) == (60_000, invoice.issued_on, "")
    assert await balances(credit, customer) == (60_000, 0)
    facts = [type(f).__name__ for f in await credit.facts(customer)]
    assert facts == ["PaymentReceived", "CreditPaidOut", "PaymentReversed", "InvoiceIssued"]
    await credit.pay(customer, 60_000)
    assert await balances(credit, customer) == (0, 0)


async def test_what_a_return_gave_back_of_a_bounced_payment_is_taken_from_the_credit_balance(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (40_000, None))
    await credit.deliver(sale)
    paid = await credit.pay(customer, 40_000)
    await credit.deliver(credit.returned(sale, 40_000))
    assert await balances(credit, customer) == (0, 40_000)
    done = await reverse(credit, paid)
    assert (list(done.owed_again), done.taken_from_credit.units) == ([], 40_000)
    assert await balances(credit, customer) == (0, 0)


async def test_a_block_lifts_with_the_payment_and_returns_with_its_reversal(credit):
    # Due 20 days ago: blocked after 14.
    customer, _ = await owing(credit, 50_000, days=20, net_days=0)
    declined = await credit.authorize(customer, 1_000)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVERDUE
    paid = await credit.pay(customer, 50_000)
    assert (await credit.authorize(customer, 1_000)).state == holds_pb2.HOLD_STATE_PENDING
    assert not (await credit.account(customer)).blocked
    await reverse(credit, paid)
    declined = await credit.authorize(customer, 1_000)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVERDUE
    assert (await credit.account(customer)).blocked


async def test_a_pending_giro_lifts_no_block(credit):
    customer, _ = await owing(credit, 50_000, days=20, net_days=0)
    pending = await giro(credit, customer, 50_000)
    declined = await credit.authorize(customer, 1_000)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVERDUE
    await credit.payments.ConfirmPayment(confirming(pending))
    assert (await credit.authorize(customer, 1_000)).state == holds_pb2.HOLD_STATE_PENDING


async def test_credit_balance_is_paid_out_once_and_never_more_than_there_is(credit, refused):
    customer, _ = await owing(credit)
    await credit.pay(customer, 50_000, allow=True)
    request = paying_out(customer, 20_000, reference="T-1")
    replies = await asyncio.gather(*(credit.payments.PayOut(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    assert replies[0].payout.credit_balance_after.units == 30_000
    request.reference = "T-2"
    assert await refused(credit.payments.PayOut(request)) == "IDEMPOTENCY_CONFLICT"
    calls = [credit.payments.PayOut(paying_out(customer, 9_000)) for _ in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert len([r for r in replies if not isinstance(r, BaseException)]) == 3
    assert await refused(credit.payments.PayOut(paying_out(customer, 3_001))) == "CREDIT_BALANCE_EXCEEDED"
    assert await balances(credit, customer) == (0, 3_000)
    told = [f for f in await credit.facts(customer) if isinstance(f, credit_pb2.CreditPaidOut)]
    assert [f.credit_balance for f in told] == [30_000, 21_000, 12_000, 3_000]
    nobody = paying_out(new_customer_id(), 1)
    assert await refused(credit.payments.PayOut(nobody)) == "ACCOUNT_NOT_FOUND"
    assert await refused(credit.payments.PayOut(paying_out(customer, 0))) == "INVALID_MONEY"


async def test_one_request_or_payout_id_for_many_customers_is_one_customers(credit):
    customers = [(await owing(credit, 5_000))[0] for _ in range(8)]
    payments = [await credit.pay(c, 6_000, allow=True) for c in customers]
    request_id, payout_id = new_uuid(), new_uuid()
    calls = [credit.payments.PayOut(paying_out(c, 500, payout_id=payout_id)) for c in customers]
    paid_out = await asyncio.gather(*calls, return_exceptions=True)
    calls = [credit.payments.ReversePayment(reversing(p, request_id=request_id)) for p in payments]
    undone = await asyncio.gather(*calls, return_exceptions=True)
    for replies in (paid_out, undone):
        assert len([r for r in replies if not isinstance(r, BaseException)]) == 1
    for customer in customers:
        await credit.check_books(customer)


@pytest.mark.parametrize("page_size", [1, 5])
async def test_invoices_owed_again_are_listed_as_open(credit, page_size):
    customer, (first, second) = await owing(credit, 10_000, 20_000)
    await reverse(credit, await credit.pay(customer, 30_000))
    request = invoices_pb2.ListInvoicesRequest(customer_id=customer, open_only=True, page_size=page_size)
    page = await credit.invoices.ListInvoices(request)
    assert [i.invoice_id for i in page.invoices] == [second, first][:page_size]
    assert not page.invoices[0].HasField("settled_at")
