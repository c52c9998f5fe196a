"""What customers bought each local month, which limits are made of: once, in the month of the sale."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.events import Outgoing
from kit.ids import new_uuid
from langganan.events.v1 import customers_pb2
from tests.credit.limiting import (
    APRIL,
    HALF,
    MARCH,
    by_policy,
    choose,
    limit,
    move,
    returned,
    rupiah,
    sale,
    sweeper,
)
from tests.credit.merging import merge


async def test_what_was_bought_counts_in_the_month_in_which_it_was_bought_there(alone):
    credit = await alone(APRIL + timedelta(days=2))
    await choose(credit, months=1, share_basis_points=10_000, max=1_000_000)
    customer = await credit.open()
    midnight = APRIL  # of Jakarta
    await credit.deliver(
        sale(credit, customer, 1_000, at=midnight - timedelta(seconds=1)),
        sale(credit, customer, 20_000, at=midnight),
        sale(credit, customer, 300_000, at=midnight, zone="Asia/Tehran"),  # where it is still March
        sale(credit, customer, 4_000, at=midnight, zone="Nowhere/Known"),  # counted in UTC
    )
    await by_policy(credit, customer)
    assert (await limit(credit, customer))[0] == 1_000 + 300_000 + 4_000


async def test_a_sale_that_is_heard_of_late_counts_in_its_own_month_from_the_next_decision_on(alone):
    credit = await alone(MARCH)
    await choose(credit, **HALF)
    customer = await credit.open()
    await by_policy(credit, customer)
    move(credit, APRIL)
    await sweeper(credit).look()
    assert (await limit(credit, customer))[0] == 0
    await credit.deliver(
        sale(credit, customer, 80_000, at=APRIL - timedelta(days=5))
    )  # a till without its line
    await sweeper(credit).look()
    assert (await limit(credit, customer))[0] == 0
    move(credit, APRIL + timedelta(days=30))
    await sweeper(credit).look()
    assert (await limit(credit, customer))[0] == 40_000  # March and April


async def test_a_return_is_taken_off_the_month_of_its_sale(alone):
    credit = await alone(MARCH)
    await choose(credit, months=1, share_basis_points=10_000, max=1_000_000)
    customer = await credit.open()
    sold = sale(credit, customer, 50_000, at=MARCH - timedelta(days=30))
    await credit.deliver(sold, sale(credit, customer, 9_000, at=MARCH))
    await credit.deliver(returned(credit, sold, 20_000, at=MARCH))
    await by_policy(credit, customer)
    assert (await limit(credit, customer))[0] == 30_000
    move(credit, APRIL)
    await sweeper(credit).look()
    assert (await limit(credit, customer))[0] == 9_000


async def test_what_is_published_again_is_counted_once(alone):
    credit = await alone(MARCH)
    await choose(credit, months=1, share_basis_points=10_000, max=1_000_000)
    customer = await credit.open()
    sold = sale(credit, customer, 50_000, at=MARCH - timedelta(days=30))
    back = returned(credit, sold, 20_000, at=MARCH)
    for _ in range(2):
        await credit.deliver(*(replace(event, id=new_uuid()) for event in (sold, sold, back)))
        await credit.deliver(replace(back, id=new_uuid()))
    await by_policy(credit, customer)
    assert (await limit(credit, customer))[0] == 30_000


async def test_sales_of_a_backlog_are_counted_together_and_nobodys_are_not(alone):
    credit = await alone(MARCH)
    await choose(credit, months=1, share_basis_points=10_000, max=10_000_000)
    customers = [await credit.open() for _ in range(5)]
    february = MARCH - timedelta(days=30)
    anonymous = sale(credit, "", 70_000, at=february)
    sales = [sale(credit, c, 1_000 * n, at=february) for n, c in enumerate(customers, 1) for _ in range(20)]
    await credit.deliver(
        *sales, Outgoing("purchase-completed", credit.merchant, new_uuid(), anonymous.payload, february)
    )
    for n, customer in enumerate(customers, 1):
        await by_policy(credit, customer)
        assert (await limit(credit, customer))[0] == 20_000 * n
    assert await credit.count("spend") == 100


async def test_a_sale_that_waits_is_counted_when_it_is_booked(alone):
    credit = await alone(MARCH)
    await choose(credit, months=1, share_basis_points=10_000, max=1_000_000)
    customer = await credit.open()
    waiting = sale(credit, customer, 50_000, at=MARCH - timedelta(days=30))
    waiting.payload.minor_digits = 2  # not the account's
    for line in waiting.payload.lines:
        line.net.units = 500
    del waiting.payload.tenders[:]
    tender = waiting.payload.tenders.add(tender_id="t1", amount=rupiah(500))
    tender.on_account.hold_id = ""
    await credit.deliver(waiting)
    assert await credit.parked(customer)
    assert await credit.count("spend") == 0


async def test_an_erasure_forgets_what_was_bought_and_ends_the_policys_say(alone):
    credit = await alone(MARCH)
    await choose(credit, **HALF)
    customer, stays = await credit.open(), await credit.open()
    february = MARCH - timedelta(days=30)
    await credit.deliver(*(sale(credit, c, 100_000, at=february) for c in (customer, stays)))
    await by_policy(credit, customer)
    gone = customers_pb2.CustomerErased(merchant_id=credit.merchant, customer_id=customer)
    await credit.deliver(Outgoing("customer-erased", credit.merchant, customer, gone, MARCH))
    assert await limit(credit, customer) == (50_000, 0, None)
    assert await credit.count("spend") == 1
    move(credit, APRIL)
    assert await sweeper(credit).look() == 0
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_after_a_merge_the_survivors_months_are_the_sum_of_both_then_and_later(alone):
    credit = await alone(MARCH)
    await choose(credit, months=1, share_basis_points=10_000, max=1_000_000)
    absorbed, survivor = [await credit.open() for _ in range(2)]
    february = MARCH - timedelta(days=30)
    await credit.deliver(
        sale(credit, absorbed, 30_000, at=february), sale(credit, survivor, 4_000, at=february)
    )
    for customer in (absorbed, survivor):
        await by_policy(credit, customer)
    await merge(credit, absorbed, survivor, at=MARCH)
    assert (await limit(credit, survivor))[0] == 4_000  # the smaller, until it is decided again
    await credit.deliver(sale(credit, absorbed, 500, at=february))  # a till that knows the old id
    await by_policy(credit, survivor)
    assert (await limit(credit, survivor))[0] == 34_500
    move(credit, APRIL)
    assert await sweeper(credit).look() == 1
    assert await limit(credit, absorbed) == (0, 1, date(2026, 5, 1))  # the survivor's
    gone = customers_pb2.CustomerErased(merchant_id=credit.merchant, customer_id=survivor)
    await credit.deliver(Outgoing("customer-erased", credit.merchant, survivor, gone, APRIL))
    assert await credit.count("spend") == 0
    assert (await run_audit(credit.run.pool, AUDIT)).first == []
