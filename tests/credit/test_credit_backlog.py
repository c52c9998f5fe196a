"""Many sales and returns of one customer in one poll: judged in order, as if each had come alone."""

from __future__ import annotations

from dataclasses import replace

from kit.ids import new_uuid
from langganan.credit.v1 import invoices_pb2
from langganan.events.v1 import credit_pb2


async def test_each_sale_of_a_poll_meets_what_those_before_it_left(credit):
    customer = await credit.open(limit=1_000_000)
    hold = await credit.authorize(customer, 300_000)
    first = credit.sale(customer, (200_000, hold.hold_id))
    again = credit.sale(customer, (50_000, hold.hold_id))
    await credit.deliver(first, again, credit.sale(customer, (7_000, None)), replace(first, id=new_uuid()))
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units) == (257_000, 0)
    amounts = [invoice.amount.units for invoice in await credit.invoices_of(customer)]
    assert sorted(amounts) == [7_000, 50_000, 200_000]
    marked = await credit.exceptions_of(customer)
    assert {(m.kind, m.amount.units) for m in marked} == {
        (invoices_pb2.EXCEPTION_KIND_UNAUTHORISED, 50_000),
        (invoices_pb2.EXCEPTION_KIND_UNAUTHORISED, 7_000),
    }
    assert [said.amount for said in await credit.facts(customer)] == [200_000, 50_000, 7_000]
    assert await credit.parked(customer) == []
    await credit.check_books(customer)


async def test_a_sale_in_another_currency_holds_those_behind_it_in_the_same_poll(credit):
    customer = await credit.open()
    odd = credit.sale(customer, (2_000, None), digits=2)
    other = await credit.open()
    await credit.deliver(
        credit.sale(customer, (1_000, None)), odd, credit.sale(customer, (4_000, None)),
        credit.sale(other, (8_000, None)),
    )  # fmt: skip
    assert (await credit.account(customer)).posted.units == 1_000
    assert (await credit.account(other)).posted.units == 8_000
    assert len(await credit.parked(customer)) == 2
    await credit.check_books(customer)


async def test_returns_of_one_sale_in_one_poll_are_taken_off_one_after_the_other(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (100_000, None))
    await credit.deliver(sale)
    some = credit.returned(sale, 30_000)
    rest = credit.returned(sale, 70_000)
    await credit.deliver(some, replace(some, id=new_uuid()), rest, credit.returned(sale, 5_000))
    account = await credit.account(customer)
    assert (account.posted.units, account.credit_balance.units) == (0, 0)
    marked = [m for m in await credit.exceptions_of(customer) if m.amount.units == 5_000]
    assert [m.kind for m in marked] == [invoices_pb2.EXCEPTION_KIND_RETURN_EXCEEDS_INVOICE]
    paid = [said for said in await credit.facts(customer) if isinstance(said, credit_pb2.InvoicePaid)]
    assert [said.cause_id for said in paid] == [rest.payload.return_id]
    await credit.check_books(customer)
