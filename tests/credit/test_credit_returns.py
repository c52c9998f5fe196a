"""Returns are taken off their invoices; what was paid becomes credit balance, which the next invoice uses."""

from __future__ import annotations

from datetime import timedelta

from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import invoices_pb2
from langganan.events.v1 import credit_pb2


async def test_a_return_on_an_open_invoice_lowers_what_is_owed(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    await credit.deliver(sale, credit.returned(sale, 30_000))
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.returned.units, invoice.outstanding.units) == (30_000, 70_000)
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (70_000, 0)
    await credit.check_books(customer)


async def test_a_return_of_the_whole_settles_the_invoice_and_says_so_once(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    first, rest = credit.returned(sale, 40_000), credit.returned(sale, 60_000)
    await credit.deliver(sale, first, rest)
    (invoice,) = await credit.invoices_of(customer)
    assert invoice.outstanding.units == 0
    assert invoice.HasField("settled_at")
    paid = [f for f in await credit.facts(customer) if isinstance(f, credit_pb2.InvoicePaid)]
    assert [(p.invoice_id, p.cause_id) for p in paid] == [(invoice.invoice_id, rest.payload.return_id)]


async def test_a_return_on_a_part_paid_invoice_gives_the_paid_part_as_credit(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    await credit.deliver(sale)
    await credit.pay(customer, 80_000)
    await credit.deliver(credit.returned(sale, 50_000))
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.paid.units, invoice.returned.units, invoice.outstanding.units) == (50_000, 50_000, 0)
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (0, 30_000)
    assert account.available.units == 1_030_000
    await credit.check_books(customer)


async def test_a_return_on_a_paid_invoice_is_used_by_the_next_invoice(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    await credit.deliver(sale)
    await credit.pay(customer, 100_000)
    await credit.deliver(credit.returned(sale, 100_000))
    assert (await credit.account(customer)).credit_balance.units == 100_000
    await credit.deliver(
        credit.sale(customer, (70_000, None), at=sale.time + timedelta(days=2)),
        credit.sale(customer, (50_000, None), at=sale.time + timedelta(days=3)),
    )
    newest, middle, _ = await credit.invoices_of(customer)
    assert (middle.paid.units, middle.outstanding.units) == (70_000, 0)
    assert (newest.paid.units, newest.outstanding.units) == (30_000, 20_000)
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (20_000, 0)
    paid = [f.invoice_id for f in await credit.facts(customer) if isinstance(f, credit_pb2.InvoicePaid)]
    assert middle.invoice_id in paid
    await credit.check_books(customer)


async def test_a_return_said_again_under_a_fresh_event_id_is_booked_once(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    return_id = new_uuid()
    returns = [credit.returned(sale, 25_000, return_id=return_id) for _ in range(3)]
    await credit.deliver(sale, returns[0], returns[1])
    await credit.deliver(returns[2], sale)
    assert (await credit.account(customer)).posted.units == 75_000
    await credit.check_books(customer)


async def test_three_partial_returns_of_one_tender_do_three_things(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    await credit.deliver(sale, *(credit.returned(sale, 20_000) for _ in range(3)))
    assert (await credit.account(customer)).posted.units == 40_000
    await credit.check_books(customer)


async def test_a_return_of_an_unknown_sale_waits_and_books_nothing(credit):
    buyer, payer = new_customer_id(), await credit.open()
    sale = credit.sale(buyer, (100_000, None), payer=payer)
    await credit.deliver(credit.returned(sale, 10_000))
    (parked,) = await credit.parked(buyer)
    assert "NOT_YET" in parked
    assert (await credit.account(payer)).posted.units == 0


async def test_a_refund_beyond_what_was_posted_is_marked_and_not_booked(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (10_000, None))
    await credit.deliver(sale, credit.returned(sale, 12_000))
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (0, 0)
    kinds = {(e.kind, e.amount.units) for e in await credit.exceptions_of(customer)}
    assert (invoices_pb2.EXCEPTION_KIND_RETURN_EXCEEDS_INVOICE, 2_000) in kinds
    await credit.check_books(customer)


async def test_a_return_through_other_tenders_touches_no_invoice(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (10_000, None))
    nothing = credit.returned(sale, 0)
    await credit.deliver(sale, nothing)
    assert (await credit.account(customer)).posted.units == 10_000
    assert await credit.parked(customer) == []
