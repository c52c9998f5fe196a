"""Payments: oldest invoice first, never more than is owed unless it may become credit balance."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import invoices_pb2, payments_pb2, payments_pb2_grpc
from langganan.events.v1 import credit_pb2
from langganan.types.v1 import origin_pb2

TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)


async def owing(credit, *amounts):
    """A customer with an invoice a day; the oldest first. Delivered newest first."""
    customer = await credit.open()
    sales = [
        credit.sale(customer, (amount, None), at=credit.run.clock.now() - timedelta(days=20 - n))
        for n, amount in enumerate(amounts)
    ]
    await credit.deliver(*reversed(sales))
    return customer


def payment(customer, units, **fields):
    fields = {"payment_id": new_uuid(), "origin": TILL} | fields
    amount = Money(currency_code="IDR", units=units)
    return payments_pb2.RecordPaymentRequest(customer_id=customer, amount=amount, **fields)


async def test_the_oldest_invoice_is_paid_first(credit):
    customer = await owing(credit, 30_000, 50_000, 20_000)
    paid = await credit.pay(customer, 60_000)
    newest, middle, oldest = await credit.invoices_of(customer)
    assert [(a.invoice_id, a.amount.units) for a in paid.allocations] == [
        (oldest.invoice_id, 30_000),
        (middle.invoice_id, 30_000),
    ]
    assert [i.outstanding.units for i in (oldest, middle, newest)] == [0, 20_000, 20_000]
    assert (paid.unapplied.units, paid.outstanding_after.units) == (0, 40_000)
    received, settled = (await credit.facts(customer))[-2:]
    assert isinstance(received, credit_pb2.PaymentReceived)
    assert (received.amount, received.outstanding, len(received.allocations)) == (60_000, 40_000, 2)
    assert isinstance(settled, credit_pb2.InvoicePaid)
    assert (settled.invoice_id, settled.cause_id) == (oldest.invoice_id, paid.payment_id)
    await credit.check_books(customer)


async def test_of_sales_in_one_second_the_one_booked_first_is_paid_first(credit):
    customer = await credit.open()
    at = credit.run.clock.now() - timedelta(days=1)
    sales = [credit.sale(customer, (amount, None), at=at) for amount in range(10_000, 22_000, 1_000)]
    await credit.deliver(*sales)
    for sale in sales:  # one payment an invoice: each must end the next one of the order of booking
        paid = await credit.pay(customer, sale.payload.tenders[0].amount.units)
        (part,) = paid.allocations
        (invoice,) = [i for i in await credit.invoices_of(customer) if i.invoice_id == part.invoice_id]
        assert invoice.purchase_id == sale.payload.purchase_id
    await credit.check_books(customer)


async def test_more_than_is_owed_is_refused_and_nothing_is_written(credit, refused):
    customer = await owing(credit, 30_000)
    assert await refused(credit.payments.RecordPayment(payment(customer, 30_001))) == "OVERPAYMENT"
    assert (await credit.account(customer)).posted.units == 30_000
    assert await credit.count("payments") == 0
    await credit.pay(customer, 30_000)
    assert await refused(credit.payments.RecordPayment(payment(customer, 1))) == "OVERPAYMENT"


async def test_more_than_is_owed_may_become_credit_balance(credit):
    customer = await owing(credit, 30_000)
    paid = await credit.pay(customer, 45_000, allow=True)
    assert paid.unapplied.units == 15_000
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (0, 15_000)
    assert account.available.units == account.limit.units + 15_000
    await credit.deliver(credit.sale(customer, (20_000, None)))
    assert (await credit.account(customer)).posted.units == 5_000
    await credit.check_books(customer)


async def test_a_retried_payment_is_booked_once(credit):
    customer = await owing(credit, 100_000)
    request = payment(customer, 10_000, method=payments_pb2.PAYMENT_METHOD_QRIS, reference="Q-1")
    replies = await asyncio.gather(*(credit.payments.RecordPayment(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    assert (await credit.account(customer)).posted.units == 90_000
    assert len([f for f in await credit.facts(customer) if isinstance(f, credit_pb2.PaymentReceived)]) == 1
    await credit.check_books(customer)


async def test_a_payment_keeps_all_that_the_till_said_of_itself(credit):
    customer = await owing(credit, 100_000)
    said = origin_pb2.Origin(
        store_id="s7", register_id="r2", staff_ref="staff-9", mode=origin_pb2.MODE_OFFLINE
    )
    said.sent_at.GetCurrentTime()
    request = payment(customer, 10_000, origin=said)
    await credit.payments.RecordPayment(request)
    kept = await credit.run.pool.fetchval(
        "SELECT origin FROM payments WHERE payment_id = $1", request.payment_id
    )
    assert origin_pb2.Origin.FromString(kept) == said


async def test_a_retry_that_differs_only_in_the_tills_clock_is_the_same_payment(credit):
    customer = await owing(credit, 100_000)
    id_ = new_uuid()
    now = int(credit.run.clock.now().timestamp())
    first = payment(customer, 10_000, payment_id=id_, occurred_at=Timestamp(seconds=now - 60))
    later = payment(customer, 10_000, payment_id=id_, occurred_at=Timestamp(seconds=now))
    assert await credit.payments.RecordPayment(first) == await credit.payments.RecordPayment(later)


async def test_a_payment_id_is_used_for_one_content_and_one_customer(credit, refused):
    customer, other = await owing(credit, 100_000), await owing(credit, 100_000)
    paid = await credit.pay(customer, 10_000)
    again = payment(customer, 10_001, payment_id=paid.payment_id)
    assert await refused(credit.payments.RecordPayment(again)) == "IDEMPOTENCY_CONFLICT"
    theirs = payment(other, 10_000, payment_id=paid.payment_id, method=payments_pb2.PAYMENT_METHOD_CASH)
    assert await refused(credit.payments.RecordPayment(theirs)) == "IDEMPOTENCY_CONFLICT"


async def test_one_payment_id_for_16_customers_is_booked_for_one(credit):
    customers = [await owing(credit, 5_000) for _ in range(16)]
    id_ = new_uuid()
    calls = [credit.payments.RecordPayment(payment(c, 5_000, payment_id=id_)) for c in customers]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert len([r for r in replies if not isinstance(r, BaseException)]) == 1
    assert await credit.count("payments") == 1
    for customer in customers:
        await credit.check_books(customer)


async def test_16_payments_at_once_never_pay_more_than_is_owed(credit):
    customer = await owing(credit, 30_000, 20_000)
    calls = [credit.payments.RecordPayment(payment(customer, 9_000)) for _ in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert len([r for r in replies if not isinstance(r, BaseException)]) == 5
    assert (await credit.account(customer)).posted.units == 5_000
    await credit.check_books(customer)


async def test_a_payments_time_is_the_callers_where_it_is_believable(credit):
    customer = await owing(credit, 100_000)
    now = credit.run.clock.now()
    yesterday = Timestamp(seconds=int((now - timedelta(days=1)).timestamp()))
    long_ago = Timestamp(seconds=int((now - timedelta(days=31)).timestamp()))
    request = payment(customer, 1_000, occurred_at=yesterday)
    paid = (await credit.payments.RecordPayment(request)).payment
    assert paid.effective_at == yesterday
    request = payment(customer, 1_000, occurred_at=long_ago)
    paid = (await credit.payments.RecordPayment(request)).payment
    assert paid.effective_at == paid.received_at


async def test_a_payment_recorded_late_is_told_when_it_is_heard_of(credit):
    customer = await owing(credit, 100_000)
    now = credit.run.clock.now()
    yesterday = Timestamp(seconds=int((now - timedelta(days=1)).timestamp()))
    await credit.payments.RecordPayment(payment(customer, 1_000, occurred_at=yesterday))
    told = "select time, payload from outbox where type = 'payment-received' and key = $1"
    row = await credit.run.pool.fetchrow(told, customer)
    assert row["time"] == now
    assert credit_pb2.PaymentReceived.FromString(row["payload"]).received_at == yesterday


@pytest.mark.parametrize("clock", [Timestamp(seconds=2**62), Timestamp(seconds=1_800_000_000, nanos=-1)])
async def test_a_till_whose_clock_is_off_every_calendar_still_takes_a_payment(credit, clock):
    customer = await owing(credit, 100_000)
    paid = (await credit.payments.RecordPayment(payment(customer, 1_000, occurred_at=clock))).payment
    assert paid.effective_at == paid.received_at


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"customer_id": new_customer_id()}, "ACCOUNT_NOT_FOUND"),
        ({"amount": Money(currency_code="IDR", units=-1)}, "INVALID_MONEY"),
        ({"amount": Money(currency_code="SGD", units=1)}, "INVALID_MONEY"),
        ({"reference": "4111 1111 1111 1111"}, "PAN_NOT_ALLOWED"),
        ({"method": 77}, "INVALID_FIELDS"),
        ({"reference": "x" * 65}, "INVALID_FIELDS"),
    ],
)
async def test_bad_payments_are_refused_and_nothing_is_written(credit, refused, fields, reason):
    customer = await owing(credit, 100_000)
    good = {
        "origin": TILL,
        "payment_id": new_uuid(),
        "customer_id": customer,
        "amount": Money(currency_code="IDR", units=5),
    }
    request = payments_pb2.RecordPaymentRequest(**(good | fields))
    assert await refused(credit.payments.RecordPayment(request)) == reason
    assert await credit.count("payments") == 0


async def test_overdue_is_what_is_past_its_due_date_on_the_local_day(credit):
    # Sold 20 days ago and the days after, due after 18: the first two are past due today.
    customer = await credit.open(net_days=18)
    now = credit.run.clock.now()
    for days, amount in ((20, 1_000), (19, 2_000), (18, 4_000)):
        await credit.deliver(credit.sale(customer, (amount, None), at=now - timedelta(days=days)))
    assert (await credit.account(customer)).overdue.units == 3_000
    await credit.pay(customer, 1_500)
    assert (await credit.account(customer)).overdue.units == 1_500


async def test_lists_come_in_pages_newest_first(credit, refused):
    customer = await owing(credit, *([1_000] * 7))
    seen, token = [], ""
    for _ in range(10):
        request = invoices_pb2.ListInvoicesRequest(customer_id=customer, page_size=3, page_token=token)
        page = await credit.invoices.ListInvoices(request)
        seen += [i.issued_at.ToDatetime() for i in page.invoices]
        token = page.next_page_token
        if not token:
            break
        other = invoices_pb2.ListInvoicesRequest(customer_id=customer, open_only=True, page_token=token)
        assert await refused(credit.invoices.ListInvoices(other)) == "INVALID_PAGE_TOKEN"
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)
    for _ in range(3):
        await credit.pay(customer, 500)
    listed = await credit.payments.ListPayments(
        payments_pb2.ListPaymentsRequest(customer_id=customer, page_size=2)
    )
    rest = await credit.payments.ListPayments(
        payments_pb2.ListPaymentsRequest(customer_id=customer, page_size=2, page_token=listed.next_page_token)
    )
    assert (len(listed.payments), len(rest.payments), rest.next_page_token) == (2, 1, "")
    stranger = credit.run.stub(payments_pb2_grpc.PaymentServiceStub, merchant="somebody-else")
    assert not (await stranger.ListPayments(payments_pb2.ListPaymentsRequest(customer_id=customer))).payments


async def test_invoices_are_told_by_id_in_the_order_asked(credit):
    customer = await owing(credit, 1_000, 2_000, 3_000)
    ids = [i.invoice_id for i in await credit.invoices_of(customer)]
    asked = [ids[1], new_uuid(), ids[0], ids[2]]
    reply = await credit.invoices.GetInvoices(invoices_pb2.GetInvoicesRequest(invoice_ids=asked))
    assert [i.invoice_id for i in reply.invoices] == [ids[1], ids[0], ids[2]]
    of_purchase = invoices_pb2.ListInvoicesRequest(
        customer_id=customer, purchase_id=reply.invoices[0].purchase_id
    )
    (found,) = (await credit.invoices.ListInvoices(of_purchase)).invoices
    assert found.invoice_id == ids[1]
