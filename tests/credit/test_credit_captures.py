"""Capture at the till: charges without a purchase."""

from __future__ import annotations

import asyncio

from google.type.money_pb2 import Money

from kit.ids import new_uuid
from langganan.credit.v1 import holds_pb2
from langganan.types.v1 import origin_pb2

TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)


def capture(hold, units=None):
    amount = None if units is None else Money(currency_code="IDR", units=units)
    return holds_pb2.CaptureRequest(
        hold_id=hold.hold_id, customer_id=hold.customer_id, amount=amount, origin=TILL
    )


async def test_a_capture_charges_a_part_once_and_releases_the_rest(credit, refused):
    customer = await credit.open(limit=100_000)
    hold = await credit.authorize(customer, 80_000)
    replies = await asyncio.gather(*(credit.holds.Capture(capture(hold, 50_000)) for _ in range(16)))
    assert {r.hold.captured_amount.units for r in replies} == {50_000}
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units, account.available.units) == (50_000, 0, 50_000)
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.invoice_id, invoice.purchase_id) == (replies[0].hold.invoice_id, "")
    assert await refused(credit.holds.Capture(capture(hold, 40_000))) == "IDEMPOTENCY_CONFLICT"
    assert await refused(credit.void(customer, hold.hold_id)) == "ALREADY_CAPTURED"
    await credit.check_books(customer)


async def test_one_hold_captured_with_16_amounts_is_charged_one_of_them(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 80_000)
    calls = [credit.holds.Capture(capture(hold, 1_000 + n)) for n in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    (charged,) = [r.hold for r in replies if isinstance(r, holds_pb2.CaptureResponse)]
    assert (await credit.account(customer)).posted.units == charged.captured_amount.units
    assert len(await credit.invoices_of(customer)) == 1
    await credit.check_books(customer)


async def test_a_capture_whose_answer_was_lost_is_charged_once(credit):
    customer = await credit.open(limit=1_000_000)
    requests = [capture(await credit.authorize(customer, 10_000), 6_000) for _ in range(8)]
    for number, request in enumerate(requests):
        call = credit.holds.Capture(request)
        await asyncio.wait([asyncio.ensure_future(call.code())], timeout=number / 1_000)
        call.cancel()  # the till dies before, while and after it is done
    replies = await asyncio.gather(*(credit.holds.Capture(request) for request in requests))
    assert {r.hold.state for r in replies} == {holds_pb2.HOLD_STATE_CAPTURED}
    assert {r.hold.captured_amount.units for r in replies} == {6_000}
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units) == (48_000, 0)
    assert len(await credit.facts(customer)) == 8
    await credit.check_books(customer)


async def test_a_capture_needs_a_pending_hold_of_its_size(credit, refused):
    customer = await credit.open(limit=100_000)
    hold = await credit.authorize(customer, 10_000)
    assert await refused(credit.holds.Capture(capture(hold, 10_001))) == "CAPTURE_EXCEEDS_HOLD"
    assert await refused(credit.holds.Capture(capture(hold, 0))) == "INVALID_MONEY"
    await credit.void(customer, hold.hold_id)
    assert await refused(credit.holds.Capture(capture(hold))) == "ALREADY_VOIDED"
    declined = await credit.authorize(customer, 200_000)
    assert await refused(credit.holds.Capture(capture(declined))) == "HOLD_NOT_PENDING"
    hold.hold_id = new_uuid()
    assert await refused(credit.holds.Capture(capture(hold))) == "HOLD_NOT_FOUND"
    sold = await credit.authorize(customer, 10_000)
    await credit.deliver(credit.sale(customer, (10_000, sold.hold_id)))
    assert await refused(credit.holds.Capture(capture(sold))) == "ALREADY_CAPTURED"
