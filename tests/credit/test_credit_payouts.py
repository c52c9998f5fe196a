"""Payouts as staff look them up: pages, newest first."""

from __future__ import annotations

from datetime import timedelta

from langganan.credit.v1 import holds_pb2, payments_pb2
from tests.credit.paying import paying_out


async def test_payouts_are_listed_newest_first_in_pages(alone):
    credit = await alone()
    customer, other = await credit.open(), await credit.open()
    for each in (customer, other):
        await credit.pay(each, 10_000, allow=True)
    made = []
    for n in range(5):
        # Two of the same instant: their ids order them.
        credit.run.clock.advance(timedelta(hours=n // 2))
        made.append((await credit.payments.PayOut(paying_out(customer, 100 + n, reference=f"r{n}"))).payout)
    found, token = [], ""
    while True:
        page = await credit.payments.ListPayouts(
            payments_pb2.ListPayoutsRequest(customer_id=customer, page_size=2, page_token=token)
        )
        found.extend(page.payouts)
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(made, key=lambda p: (p.paid_out_at.ToDatetime(), p.payout_id), reverse=True)


async def test_a_page_of_payouts_is_bound_to_its_customer(credit, refused):
    customer, other = await credit.open(), await credit.open()
    await credit.pay(customer, 10_000, allow=True)
    for _ in range(2):
        await credit.payments.PayOut(paying_out(customer, 1))
    ask = payments_pb2.ListPayoutsRequest(customer_id=customer, page_size=1)
    ask.page_token = (await credit.payments.ListPayouts(ask)).next_page_token
    ask.customer_id = other
    assert await refused(credit.payments.ListPayouts(ask)) == "INVALID_PAGE_TOKEN"
    nobody = payments_pb2.ListPayoutsRequest(customer_id=other)
    assert list((await credit.payments.ListPayouts(nobody)).payouts) == []


async def test_credit_that_a_hold_was_approved_on_is_not_paid_out_until_the_hold_is_over(credit, refused):
    customer = await credit.open(limit=1_000)
    await credit.pay(customer, 5_000, allow=True)
    hold = await credit.authorize(customer, 4_000)
    assert hold.state == holds_pb2.HOLD_STATE_PENDING
    assert await refused(credit.payments.PayOut(paying_out(customer, 2_001))) == "CREDIT_BALANCE_EXCEEDED"
    await credit.payments.PayOut(paying_out(customer, 2_000))
    await credit.void(customer, hold.hold_id)
    await credit.payments.PayOut(paying_out(customer, 3_000))
    await credit.check_books(customer)
