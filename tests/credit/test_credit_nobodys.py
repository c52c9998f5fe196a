"""On-account tenders of sales that name nobody: they stop nothing, and staff can see and settle them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2, invoices_pb2

MALFORMED = "0000000000001"


async def listed(credit, **fields):
    request = invoices_pb2.ListExceptionsRequest(page_size=200, **fields)
    return list((await credit.invoices.ListExceptions(request)).exceptions)


def anonymous(credit, customer="", **fields):
    """A sale without a customer, keyed as customers keys it: by the purchase."""
    sale = credit.sale(customer, (5_000, None), **fields)
    return replace(sale, key=sale.payload.purchase_id)


@pytest.mark.parametrize("customer", ["", MALFORMED])
async def test_sales_that_name_nobody_stop_no_one(credit, customer):
    payer = await credit.open()
    strange = [anonymous(credit, customer) for _ in range(12)]
    fine = [credit.sale(payer, (1_000, None)) for _ in range(2)]
    await credit.deliver(*strange[:6], fine[0], *strange[6:], fine[1])
    assert (await credit.account(payer)).posted.units == 2_000
    assert await credit.count("parked_events") == 0
    assert await credit.count("accounts") == 1
    found = [e for e in await listed(credit) if not e.customer_id]
    assert {e.purchase_id for e in found} == {s.payload.purchase_id for s in strange}
    assert {(e.kind, e.amount.units, e.invoice_id) for e in found} == {
        (invoices_pb2.EXCEPTION_KIND_UNAUTHORISED, 5_000, "")
    }
    await credit.check_books(payer)


async def test_a_sale_that_names_nobody_is_listed_once(credit):
    sale = anonymous(credit)
    again = anonymous(credit, purchase_id=sale.payload.purchase_id)
    await credit.deliver(sale, again)
    await credit.deliver(anonymous(credit, purchase_id=sale.payload.purchase_id))
    (found,) = await listed(credit)
    assert found.cause_id == sale.payload.purchase_id


async def test_one_tender_of_nobodys_leaves_the_others_to_be_posted(credit):
    payer = await credit.open()
    sale = credit.sale("", (5_000, None), (7_000, None))
    sale.payload.tenders[1].on_account.account_customer_id = payer
    await credit.deliver(replace(sale, key=sale.payload.purchase_id))
    assert (await credit.account(payer)).posted.units == 7_000
    assert {(e.customer_id, e.amount.units) for e in await listed(credit)} == {("", 5_000), (payer, 7_000)}


async def test_a_return_of_a_sale_that_names_nobody_waits_for_nothing(credit):
    sale = anonymous(credit)
    await credit.deliver(credit.returned(sale, 2_000), sale, credit.returned(sale, 1_000))
    assert await credit.count("parked_events") == 0
    assert await credit.count("entries") == 0


async def test_an_exception_of_nobodys_is_resolved_once(credit, refused):
    await credit.deliver(anonymous(credit))
    (found,) = await listed(credit)
    request = invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(), exception_id=found.exception_id, note="written off"
    )
    replies = await asyncio.gather(*(credit.invoices.ResolveException(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    assert await listed(credit) == []
    assert [e.note for e in await listed(credit, include_resolved=True)] == ["written off"]
    request.request_id = new_uuid()
    assert await refused(credit.invoices.ResolveException(request)) == "EXCEPTION_RESOLVED"


async def test_an_exception_of_a_customers_is_not_resolved_as_nobodys(credit, refused):
    customer = await credit.open()
    await credit.deliver(credit.sale(customer, (1_000, None)))
    (found,) = await listed(credit)
    request = invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(), exception_id=found.exception_id, note="spoken with the owner"
    )
    assert await refused(credit.invoices.ResolveException(request)) == "EXCEPTION_NOT_FOUND"


async def test_a_claimed_customer_of_a_sale_that_names_nobody_owes_it_on_a_suspended_account(credit):
    claimed = new_customer_id()
    sale = anonymous(credit, payer=claimed)
    await credit.deliver(sale, credit.returned(sale, 2_000))
    account = await credit.account(claimed)
    assert (account.status, account.posted.units) == (accounts_pb2.ACCOUNT_STATUS_SUSPENDED, 3_000)
    (found,) = await listed(credit)
    assert (found.customer_id, found.kind) == (claimed, invoices_pb2.EXCEPTION_KIND_UNAUTHORISED)
    await credit.check_books(claimed)
