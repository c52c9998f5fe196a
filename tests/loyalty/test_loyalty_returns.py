"""purchase-returned: earned points go back by line, used points come back by tender."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from kit.events import Outgoing
from kit.testing.eventually import eventually


async def with_points(loyalty, points):
    customer = await loyalty.customer()
    await loyalty.given(customer, points)
    return customer


async def test_a_part_of_a_line_takes_its_part_of_the_points_and_the_rest_takes_all(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [10_000, 5_000])
    parts = [("1", 3_333, 10_000), ("1", 3_333, 6_667), ("1", 3_334, 3_334), ("2", 5_000, 5_000)]
    await loyalty.deliver(sale)
    for part in parts:
        await loyalty.deliver(loyalty.returned(sale, [part]))
    assert await loyalty.entries(customer) == [
        ("EARN", 15, ""), ("TAKE_BACK", -3, "1"), ("TAKE_BACK", -3, "1"), ("TAKE_BACK", -4, "1"),
        ("TAKE_BACK", -5, "2"),
    ]  # fmt: skip
    account = await loyalty.account(customer)
    assert (account.balance, account.standing.counted) == (0, 0)
    await loyalty.explained(customer)


async def test_a_sale_and_its_returns_in_one_poll_are_booked_in_order(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [10_000])
    first, second = (
        loyalty.returned(sale, [("1", 4_000, 10_000)]),
        loyalty.returned(sale, [("1", 6_000, 6_000)]),
    )
    await loyalty.deliver(sale, first, second, loyalty.sale(customer, [7_000]))
    assert [points for _, points, _ in await loyalty.entries(customer)] == [10, -4, -6, 7]


async def test_the_same_return_under_a_fresh_event_id_takes_back_once(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [10_000])
    back = loyalty.returned(sale, [("1", 5_000, 10_000)])
    again = Outgoing(back.type, back.merchant_id, back.key, back.payload, back.time)
    await loyalty.deliver(sale, back, again)
    await loyalty.deliver(back)
    assert (await loyalty.account(customer)).balance == 5
    assert (await loyalty.account(customer)).standing.counted == 5_000
    assert await loyalty.parked(customer) == []


async def test_a_return_before_its_sale_waits_for_it(loyalty):
    """Two customers were merged: the return, keyed by the survivor, overtakes the absorbed one's sale."""
    absorbed, survivor = await loyalty.customer(), await loyalty.customer()
    await loyalty.deliver(loyalty.merged(absorbed, survivor))
    sale = loyalty.sale(absorbed, [10_000])
    back = loyalty.returned(sale, [("1", 4_000, 10_000)])
    back.payload.customer_id = survivor
    await loyalty.deliver(replace(back, key=survivor))
    assert await loyalty.parked(survivor) == ["NOT_YET"]
    await loyalty.deliver(sale)
    consumer = loyalty.run.service.consumer

    async def applied():
        await consumer.retry_not_yet()
        return await loyalty.parked(survivor) == []

    await eventually(applied)
    assert (await loyalty.account(survivor)).balance == 6


async def test_used_points_come_back_in_proportion_and_wholly_at_the_end(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 100)
    sale = loyalty.sale(customer, [3_000], points=[(1_000, held.reservation_id)])
    await loyalty.deliver(sale)
    await loyalty.deliver(loyalty.returned(sale, [("1", 1_000, 3_000)], points=[("p1", 333, 1_000)]))
    assert (await loyalty.entries(customer))[-1] == ("RESTORE", 33, "p1")
    await loyalty.deliver(loyalty.returned(sale, [("1", 2_000, 2_000)], points=[("p1", 667, 667)]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.expiring_next) == (100, 100, 0)
    explained = await loyalty.explained(customer)
    assert [(lot.points, lot.points_left) for lot in explained.lots] == [(100, 100)]


async def test_points_that_were_used_meanwhile_are_owed_and_repaid_first(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [100_000])
    await loyalty.deliver(sale)
    held = await loyalty.reserve(customer, 80)
    await loyalty.deliver(loyalty.sale(customer, [800], points=[(800, held.reservation_id)]))
    await loyalty.deliver(loyalty.returned(sale, [("1", 100_000, 100_000)]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.negative) == (-80, 0, 80)
    assert (await loyalty.reserve(customer, 1)).points_redeemed == 0
    await loyalty.deliver(loyalty.sale(customer, [100_000]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.negative) == (20, 20, 0)
    await loyalty.explained(customer)


async def test_a_return_never_takes_points_that_a_reservation_holds(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [100_000])
    await loyalty.deliver(sale)
    held = await loyalty.reserve(customer, 80)
    await loyalty.deliver(loyalty.returned(sale, [("1", 100_000, 100_000)]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.reserved, account.negative) == (0, 0, 80, 80)
    await loyalty.release(customer, held.reservation_id)
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.reserved, account.negative) == (0, 0, 0, 0)
    await loyalty.explained(customer)


@pytest.mark.parametrize("seed", range(3))
async def test_any_history_of_sales_and_returns_keeps_ledger_lots_and_account_in_step(loyalty, seed):
    rng, customer = random.Random(seed), await with_points(loyalty, 200)
    left: dict[int, list[int]] = {}
    sales, events = [], []
    for _ in range(25):
        if sales and rng.random() < 0.5:
            number = rng.randrange(len(sales))
            place = rng.randrange(len(left[number]))
            before = left[number][place]
            amount = rng.choice([before, rng.randrange(before + 1)])
            left[number][place] -= amount
            events.append(loyalty.returned(sales[number], [(str(place + 1), amount, before)]))
        else:
            nets = [rng.randrange(40_000) for _ in range(rng.randrange(1, 5))]
            left[len(sales)] = list(nets)
            sales.append(loyalty.sale(customer, nets))
            events.append(sales[-1])
    while events:
        size = rng.randrange(1, 6)
        await loyalty.deliver(*events[:size])
        del events[:size]
        if rng.random() < 0.3:
            await loyalty.reserve(customer, rng.randrange(1, 60))
        await loyalty.explained(customer)
    for number, nets in left.items():
        rest = [(str(place + 1), net, net) for place, net in enumerate(nets) if net]
        await loyalty.deliver(loyalty.returned(sales[number], rest))
    assert (await loyalty.account(customer)).balance == 200
    assert (await loyalty.account(customer)).standing.counted == 0
    await loyalty.explained(customer)
