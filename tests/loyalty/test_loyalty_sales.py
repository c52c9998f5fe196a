"""purchase-completed: points once, by the program, in the tier just before the sale."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kit.events import Outgoing
from kit.ids import new_customer_id
from langganan.events.v1 import loyalty_pb2
from langganan.types.v1 import line_pb2

NEW_ZONE = "Asia/Jayapura"


async def test_a_new_customer_starts_in_the_lowest_tier_with_nothing(loyalty):
    customer = await loyalty.customer()
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.standing.tier) == (0, 0, "New")
    assert (account.standing.next_tier, account.standing.to_next_tier) == ("Regular", 2_000_000)
    [said] = await loyalty.said(customer)
    assert (said.from_tier, said.to_tier, said.cause, said.revision) == ("", "New", "PLUGIN", 1)


async def test_a_sale_earns_one_point_for_each_step_rounded_down_once(loyalty):
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [1_999, 999, 12_001]))
    assert (await loyalty.account(customer)).balance == 14
    assert await loyalty.entries(customer) == [("EARN", 14, "")]
    earned = [f for f in await loyalty.said(customer) if isinstance(f, loyalty_pb2.PointsEarned)]
    assert [(e.points, e.balance, e.program_version) for e in earned] == [(14, 14, 1)]
    await loyalty.explained(customer)


async def test_points_expire_by_the_local_day_of_the_store(loyalty, new_line):
    customer = await loyalty.customer()
    late_evening = loyalty.run.clock.now().replace(hour=16, minute=30)
    await loyalty.deliver(loyalty.sale(customer, [50_000], at=late_evening, zone=NEW_ZONE))
    account = await loyalty.account(customer)
    day = account.expires_on
    assert (account.expiring_next, day.year, day.month, day.day) == (50, 2027, 3, 3)


async def test_fees_and_vouchers_and_gift_cards_earn_nothing(loyalty, new_line):
    customer = await loyalty.customer()
    gift = new_line(500_000, line_pb2.LINE_KIND_STORED_VALUE)
    fee = new_line(100_000, line_pb2.LINE_KIND_FEE)
    sale = loyalty.sale(customer, [400_000, gift, fee], vouchers=250_000)
    await loyalty.deliver(sale)
    # a quarter of everything was paid by voucher, the goods' quarter is 100,000
    assert (await loyalty.account(customer)).balance == 300
    assert (await loyalty.account(customer)).standing.counted == 400_000


async def test_the_same_sale_under_a_fresh_event_id_earns_once(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [10_000])
    again = Outgoing(sale.type, sale.merchant_id, sale.key, sale.payload, sale.time)
    await loyalty.deliver(sale, again)
    await loyalty.deliver(sale)
    await loyalty.deliver(Outgoing(sale.type, sale.merchant_id, sale.key, sale.payload, sale.time))
    assert await loyalty.entries(customer) == [("EARN", 10, "")]
    assert await loyalty.parked(customer) == []


async def test_a_sale_worth_nothing_leaves_no_entry_and_can_be_returned(loyalty):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [0])
    await loyalty.deliver(sale, loyalty.returned(sale, [("1", 0, 0)]))
    assert await loyalty.entries(customer) == []
    assert await loyalty.parked(customer) == []


async def test_an_anonymous_sale_earns_nothing_and_opens_nothing(loyalty):
    await loyalty.deliver(loyalty.sale("", [10_000]))
    assert await loyalty.count("accounts") == 0
    assert await loyalty.count("purchases") == 0


async def test_without_a_program_a_sale_earns_nothing_and_its_return_finds_it(bare):
    customer = await bare.customer()
    sale = bare.sale(customer, [10_000])
    await bare.deliver(sale, bare.returned(sale, [("1", 10_000, 10_000)]))
    assert (await bare.account(customer)).balance == 0
    assert await bare.parked(customer) == []


async def test_a_sale_opens_the_account_when_it_overtakes_the_registration(loyalty):
    customer = new_customer_id()
    await loyalty.deliver(loyalty.sale(customer, [10_000]))
    await loyalty.deliver(loyalty.registered(customer))
    account = await loyalty.account(customer)
    assert (account.balance, account.standing.tier) == (10, "New")


async def test_the_program_of_the_sales_own_time_decides(loyalty, new_program):
    customer = await loyalty.customer()
    now = loyalty.run.clock.now()
    effective = new_program().effective_from
    effective.FromDatetime(now + timedelta(days=10))
    better = [type(new_program().earning[0])(plugin="per_amount", config_json='{"step": 100}')]
    await loyalty.set_program(effective_from=effective, earning=better)
    await loyalty.deliver(
        loyalty.sale(customer, [10_000], at=now + timedelta(days=9)),
        loyalty.sale(customer, [10_000], at=now + timedelta(days=10)),
        loyalty.sale(customer, [10_000], at=now + timedelta(days=1)),
    )
    assert [points for _, points, _ in await loyalty.entries(customer)] == [10, 100, 10]


async def test_another_merchant_sees_nothing_of_it(loyalty, someone_else, refused):
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [10_000]))
    assert await refused(someone_else.account(customer)) == "ACCOUNT_NOT_FOUND"
    await someone_else.set_program()
    await someone_else.deliver(someone_else.sale(customer, [3_000]))
    assert (await someone_else.account(customer)).balance == 3
    assert (await loyalty.account(customer)).balance == 10


@pytest.mark.parametrize("sales", [1, 20])
async def test_a_poll_of_sales_takes_ten_round_trips_however_many_they_are(loyalty, sales):
    customers, pool, sent = [await loyalty.customer() for _ in range(sales)], loyalty.run.pool, []
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    for conn in held:
        conn.add_query_logger(sent.append)
    for conn in held:
        await pool.release(conn)
    await loyalty.deliver(loyalty.sale(customers[0], [1_000]))  # a new connection asks about types first
    sent.clear()
    await loyalty.deliver(*(loyalty.sale(customer, [1_000]) for customer in customers))
    said = [query.query.partition("\n")[0] for query in sent]
    # BEGIN, inbox, lock, parked, what the sales need, tier facts; purchases, ledger, outbox, COMMIT
    assert (len(said), said[0], said[-1]) == (10, "BEGIN;", "COMMIT;"), said
