"""A finished sale is never refused: each row of the table in the rules, through the consumer."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import grpc
import pytest

from kit.ids import derived_uuid, new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2, holds_pb2, invoices_pb2
from langganan.events.v1 import credit_pb2


async def test_a_sale_posts_its_hold_and_releases_the_rest(credit):
    customer = await credit.open(limit=1_000_000)
    hold = await credit.authorize(customer, 300_000)
    sale = credit.sale(customer, (250_000, hold.hold_id))
    await credit.deliver(sale)
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units, account.available.units) == (250_000, 0, 750_000)
    hold = await credit.hold(customer, hold.hold_id)
    assert hold.state == holds_pb2.HOLD_STATE_CAPTURED
    assert hold.captured_amount.units == 250_000
    (invoice,) = await credit.invoices_of(customer)
    assert invoice.invoice_id == hold.invoice_id
    assert invoice.invoice_id == derived_uuid(credit.merchant, sale.payload.purchase_id, "t1")
    assert invoice.outstanding.units == 250_000
    assert invoice.exception == invoices_pb2.EXCEPTION_KIND_UNSPECIFIED
    assert await credit.exceptions_of(customer) == []
    (said,) = await credit.facts(customer)
    assert isinstance(said, credit_pb2.InvoiceIssued)
    assert (said.amount, said.invoice_id, said.exception) == (250_000, invoice.invoice_id, "")
    await credit.check_books(customer)


async def test_the_due_date_counts_from_the_local_date_of_the_sale_in_the_accounts_zone(credit):
    customer = await credit.open(net_days=14, zone="Asia/Jayapura")
    # 16:30 UTC is half past one of the next day in Jayapura.
    await credit.deliver(credit.sale(customer, (1_000, None), at=datetime(2026, 2, 27, 16, 30, tzinfo=UTC)))
    (invoice,) = await credit.invoices_of(customer)
    assert date(invoice.issued_on.year, invoice.issued_on.month, invoice.issued_on.day) == date(2026, 2, 28)
    assert date(invoice.due_on.year, invoice.due_on.month, invoice.due_on.day) == date(2026, 3, 14)


async def test_a_tender_above_its_hold_is_posted_whole_and_marked(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 100_000)
    await credit.deliver(credit.sale(customer, (130_000, hold.hold_id)))
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units) == (130_000, 0)
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_OVER_HOLD, 30_000)
    assert (await credit.hold(customer, hold.hold_id)).captured_amount.units == 100_000
    await credit.check_books(customer)


async def test_a_hold_that_was_voided_is_posted_and_marked(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 100_000)
    await credit.void(customer, hold.hold_id)
    await credit.deliver(credit.sale(customer, (100_000, hold.hold_id)))
    assert (await credit.account(customer)).posted.units == 100_000
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_VOIDED_THEN_SOLD, 100_000)
    await credit.check_books(customer)


@pytest.mark.parametrize("what", ["none", "unknown", "another customer's", "already used", "declined"])
async def test_a_tender_without_a_hold_of_its_own_is_posted_and_marked(credit, what):
    customer = await credit.open(limit=500_000)
    hold_id = new_uuid()
    if what == "another customer's":
        other = await credit.open()
        await credit.authorize(other, 50_000, hold_id)
    elif what == "already used":
        await credit.authorize(customer, 50_000, hold_id)
        await credit.deliver(credit.sale(customer, (50_000, hold_id)))
    elif what == "declined":
        await credit.authorize(customer, 600_000, hold_id)
    before = (await credit.account(customer)).posted.units
    await credit.deliver(credit.sale(customer, (50_000, None if what == "none" else hold_id)))
    assert (await credit.account(customer)).posted.units == before + 50_000
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_UNAUTHORISED, 50_000)
    if what == "another customer's":
        assert (await credit.hold(other, hold_id)).state == holds_pb2.HOLD_STATE_PENDING
        await credit.check_books(other)
    await credit.check_books(customer)


async def test_a_sale_without_an_account_opens_one_suspended(credit):
    customer = new_customer_id()
    await credit.deliver(credit.sale(customer, (75_000, None)))
    account = await credit.account(customer)
    assert account.status == accounts_pb2.ACCOUNT_STATUS_SUSPENDED
    assert (account.limit.units, account.posted.units, account.available.units) == (0, 75_000, 0)
    assert (account.currency_code, account.time_zone) == ("IDR", "Asia/Makassar")
    (marked,) = await credit.exceptions_of(customer)
    assert marked.kind == invoices_pb2.EXCEPTION_KIND_UNAUTHORISED
    hold = await credit.authorize(customer, 1)
    assert hold.decline.reason == holds_pb2.DECLINE_REASON_ACCOUNT_SUSPENDED
    await credit.accounts.OpenAccount(credit.opening(customer, limit=100_000))
    account = await credit.account(customer)
    assert account.status == accounts_pb2.ACCOUNT_STATUS_ACTIVE
    assert account.available.units == 25_000


async def test_a_hold_captured_by_rpc_is_linked_and_nothing_is_posted(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 100_000)
    captured = await credit.capture(hold)
    sale = credit.sale(customer, (100_000, hold.hold_id))
    await credit.deliver(sale)
    (invoice,) = await credit.invoices_of(customer)
    assert invoice.invoice_id == captured.invoice_id
    assert (invoice.purchase_id, invoice.tender_id) == (sale.payload.purchase_id, "t1")
    assert (await credit.account(customer)).posted.units == 100_000
    assert await credit.exceptions_of(customer) == []
    # A second sale under the same hold finds it used.
    await credit.deliver(credit.sale(customer, (20_000, hold.hold_id)))
    (marked,) = await credit.exceptions_of(customer)
    assert marked.kind == invoices_pb2.EXCEPTION_KIND_UNAUTHORISED
    # And its returns find the linked invoice.
    await credit.deliver(credit.returned(sale, 40_000))
    assert (await credit.account(customer)).posted.units == 80_000
    await credit.check_books(customer)


async def test_a_sale_above_what_capture_charged_is_linked_and_its_excess_is_listed(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 100_000)
    await credit.capture(hold, 60_000)
    sale = credit.sale(customer, (75_000, hold.hold_id))
    again = credit.sale(customer, (75_000, hold.hold_id), purchase_id=sale.payload.purchase_id)
    await credit.deliver(sale, again)
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.amount.units, invoice.purchase_id) == (60_000, sale.payload.purchase_id)
    assert invoice.exception == invoices_pb2.EXCEPTION_KIND_OVER_HOLD
    assert (await credit.account(customer)).posted.units == 60_000
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_OVER_HOLD, 15_000)
    await credit.check_books(customer)


async def test_a_sale_said_again_under_a_fresh_event_id_posts_once(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 10_000)
    purchase = new_uuid()
    sales = [
        credit.sale(customer, (10_000, hold.hold_id), (5_000, None), purchase_id=purchase) for _ in range(3)
    ]
    await credit.deliver(sales[0], sales[1])
    await credit.deliver(sales[2], sales[0])
    assert (await credit.account(customer)).posted.units == 15_000
    assert len(await credit.invoices_of(customer)) == 2
    assert len(await credit.exceptions_of(customer)) == 1
    assert len(await credit.facts(customer)) == 2
    await credit.check_books(customer)


async def test_a_sale_whose_invoice_was_deleted_by_hand_is_passed_over_when_it_is_said_again(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 5_000)
    sale = credit.sale(customer, (5_000, hold.hold_id), (700, None))
    await credit.deliver(sale)
    await credit.run.pool.execute(
        "DELETE FROM invoices WHERE merchant_id = $1 AND hold_id = $2", credit.merchant, hold.hold_id
    )
    await credit.deliver(sale)
    assert await credit.parked(customer) == []
    assert [i.amount.units for i in await credit.invoices_of(customer)] == [700]
    assert (await credit.account(customer)).posted.units == 5_700  # as the ledger has it; the audit names it
    # Of another sale the hold is used already: that one is posted, and marked.
    await credit.deliver(credit.sale(customer, (900, hold.hold_id)))
    (marked,) = [e for e in await credit.exceptions_of(customer) if e.amount.units == 900]
    assert marked.kind == invoices_pb2.EXCEPTION_KIND_UNAUTHORISED
    assert (await credit.account(customer)).posted.units == 6_600


async def test_one_hold_named_by_two_tenders_of_a_sale_is_used_once(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 10_000)
    await credit.deliver(credit.sale(customer, (6_000, hold.hold_id), (4_000, hold.hold_id)))
    assert (await credit.account(customer)).posted.units == 10_000
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_UNAUTHORISED, 4_000)
    await credit.check_books(customer)


async def test_an_organisation_pays_for_several_customers_in_one_poll(credit):
    payer = await credit.open(limit=100_000)
    buyers = [new_customer_id() for _ in range(5)]
    await credit.deliver(*(credit.sale(buyer, (3_000, None), payer=payer) for buyer in buyers))
    assert (await credit.account(payer)).posted.units == 15_000
    await credit.check_books(payer)


async def test_a_poisoned_sale_stops_its_own_customer_alone(credit):
    bad, good = await credit.open(), await credit.open()
    poisoned = credit.sale(bad, (1_000, None), zone="Asia")
    later = credit.sale(bad, (2_000, None))
    fine = credit.sale(good, (3_000, None))
    await credit.deliver(poisoned, later, fine)
    assert (await credit.account(good)).posted.units == 3_000
    assert (await credit.account(bad)).posted.units == 0
    assert len(await credit.parked(bad)) == 2
    assert await credit.parked(good) == []
    await credit.check_books(bad)


async def test_a_cash_sale_touches_no_account(credit):
    customer = new_customer_id()
    await credit.deliver(credit.sale(customer))
    rows = await credit.run.pool.fetchval("SELECT count(*) FROM accounts WHERE customer_id = $1", customer)
    assert rows == 0


async def test_an_exception_is_resolved_once(credit, refused):
    customer = await credit.open()
    await credit.deliver(credit.sale(customer, (1_000, None)))
    (marked,) = await credit.exceptions_of(customer)
    request = invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(),
        exception_id=marked.exception_id,
        customer_id=customer,
        note="spoken with the owner",
    )
    first = await credit.invoices.ResolveException(request)
    again = await credit.invoices.ResolveException(request)
    assert first == again
    assert first.exception.HasField("resolved_at")
    assert await credit.exceptions_of(customer) == []
    every = await credit.invoices.ListExceptions(
        invoices_pb2.ListExceptionsRequest(customer_id=customer, include_resolved=True)
    )
    assert [e.note for e in every.exceptions] == ["spoken with the owner"]
    other_body = invoices_pb2.ResolveExceptionRequest()
    other_body.CopyFrom(request)
    other_body.note = "something else"
    assert await refused(credit.invoices.ResolveException(other_body)) == "IDEMPOTENCY_CONFLICT"
    other_body.request_id = new_uuid()
    assert await refused(credit.invoices.ResolveException(other_body)) == "EXCEPTION_RESOLVED"
    other_body.exception_id = new_uuid()
    assert await refused(credit.invoices.ResolveException(other_body)) == "EXCEPTION_NOT_FOUND"


def resolution(customer, exception_id, **fields):
    fields = {"request_id": new_uuid(), "note": "spoken with the owner"} | fields
    return invoices_pb2.ResolveExceptionRequest(exception_id=exception_id, customer_id=customer, **fields)


async def test_an_exception_resolved_16_times_at_once_is_resolved_once(credit):
    customer = await credit.open()
    await credit.deliver(credit.sale(customer, (1_000, None)))
    (marked,) = await credit.exceptions_of(customer)
    request = resolution(customer, marked.exception_id)
    replies = await asyncio.gather(*(credit.invoices.ResolveException(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1


async def test_16_who_resolve_one_exception_at_once_find_it_resolved_but_for_the_first(credit, refused):
    customer = await credit.open()
    await credit.deliver(credit.sale(customer, (1_000, None)))
    (marked,) = await credit.exceptions_of(customer)
    requests = [resolution(customer, marked.exception_id, note=f"note {n}") for n in range(16)]
    calls = [credit.invoices.ResolveException(request) for request in requests]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    (first,) = [n for n, r in enumerate(replies) if not isinstance(r, BaseException)]
    assert replies[first].exception.note == f"note {first}"
    for number in {0, 15} - {first}:
        again = credit.invoices.ResolveException(requests[number])
        assert await refused(again) == "EXCEPTION_RESOLVED"


async def test_one_request_id_for_16_exceptions_resolves_one(credit, refused):
    customers = [await credit.open() for _ in range(16)]
    await credit.deliver(*(credit.sale(customer, (1_000, None)) for customer in customers))
    id_ = new_uuid()
    requests = [
        resolution(c, (await credit.exceptions_of(c))[0].exception_id, request_id=id_) for c in customers
    ]

    async def outcome(request):
        call = credit.invoices.ResolveException(request)
        return "done" if await call.code() == grpc.StatusCode.OK else await refused(call)

    outcomes = await asyncio.gather(*(outcome(request) for request in requests))
    assert sorted(outcomes) == ["IDEMPOTENCY_CONFLICT"] * 15 + ["done"]
    assert len([c for c in customers if not await credit.exceptions_of(c)]) == 1


async def test_everything_at_once_leaves_books_that_add_up(credit):
    customers = [await credit.open(limit=50_000) for _ in range(3)]

    async def visit(number):
        customer = customers[number % 3]
        hold = await credit.authorize(customer, 1_000 + number)
        if hold.state != holds_pb2.HOLD_STATE_PENDING:
            return
        if number % 5 == 0:
            await credit.void(customer, hold.hold_id)
        sale = credit.sale(customer, (1_000 + number, hold.hold_id))
        await credit.deliver(sale)
        if number % 4 == 0:
            await credit.deliver(credit.returned(sale, 500), sale)
        if number % 3 == 0:
            await credit.pay(customer, 2_000, allow=True)

    await asyncio.gather(*(visit(number) for number in range(60)))
    for customer in customers:
        assert (await credit.account(customer)).held.units == 0
        await credit.check_books(customer)


@pytest.mark.parametrize("wrong", ["zone", "money", "purchase"])
async def test_a_sale_that_cannot_be_read_is_parked_and_books_nothing(credit, wrong):
    customer = await credit.open()
    event = credit.sale(customer, (1_000, None))
    if wrong == "zone":
        event.payload.time_zone = "Asia"
    elif wrong == "money":
        event.payload.tenders[0].amount.nanos = 1
    else:
        event.payload.purchase_id = "P-1"
    await credit.deliver(event)
    assert len(await credit.parked(customer)) == 1
    assert (await credit.account(customer)).posted.units == 0
