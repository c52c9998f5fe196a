"""Tiers: they rise with what was spent in the window, decide the next sale, and can be pinned."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from kit.ids import new_uuid
from langganan.events.v1 import loyalty_pb2
from langganan.loyalty.v1 import tiers_pb2 as pb


async def changes(loyalty, customer):
    said = [f for f in await loyalty.said(customer) if isinstance(f, loyalty_pb2.TierChanged)]
    return [(f.from_tier, f.to_tier, f.cause, f.revision) for f in said]


async def test_the_sale_that_reaches_a_threshold_earns_in_the_tier_before_it(loyalty):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    for day, net in enumerate([1_999_999, 1, 1_000_000]):
        await loyalty.deliver(loyalty.sale(customer, [net], at=now + timedelta(days=day)))
    assert [points for _, points, _ in await loyalty.entries(customer)] == [1_999, 1_100]
    assert await changes(loyalty, customer) == [
        ("", "New", "PLUGIN", 1), ("New", "Regular", "PLUGIN", 2),
    ]  # fmt: skip


async def test_one_large_sale_may_skip_tiers(loyalty):
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [13_000_000]), loyalty.sale(customer, [1_000_000]))
    assert [points for _, points, _ in await loyalty.entries(customer)] == [13_000, 1_250]
    standing = (await loyalty.account(customer)).standing
    assert (standing.tier, standing.next_tier, standing.to_next_tier) == ("VIP", "Premium", 16_000_000)


async def test_what_left_the_window_does_not_count_and_tiers_only_rise(loyalty):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    first = now - timedelta(days=365)
    await loyalty.deliver(loyalty.sale(customer, [1_500_000], at=first))
    await loyalty.deliver(loyalty.sale(customer, [1_500_000], at=now))
    assert (await loyalty.account(customer)).standing.tier == "New"
    await loyalty.deliver(loyalty.sale(customer, [500_000], at=now + timedelta(days=1)))
    assert (await loyalty.account(customer)).standing.tier == "Regular"
    await loyalty.deliver(loyalty.sale(customer, [1], at=now + timedelta(days=800)))
    assert (await loyalty.account(customer)).standing.tier == "Regular"


async def test_what_was_returned_does_not_count(loyalty):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    sale = loyalty.sale(customer, [1_900_000])
    await loyalty.deliver(sale, loyalty.returned(sale, [("1", 900_000, 1_900_000)]))
    await loyalty.deliver(loyalty.sale(customer, [999_999], at=now + timedelta(days=2)))
    assert (await loyalty.account(customer)).standing.tier == "New"
    await loyalty.deliver(loyalty.sale(customer, [1], at=now + timedelta(days=3)))
    assert (await loyalty.account(customer)).standing.tier == "Regular"


async def test_a_sale_that_comes_late_earns_in_the_tier_of_its_time_and_counts_for_later_ones(loyalty):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    await loyalty.deliver(loyalty.sale(customer, [2_000_000], at=now + timedelta(days=5)))
    await loyalty.deliver(loyalty.sale(customer, [1_000_000], at=now + timedelta(days=1)))
    assert [points for _, points, _ in await loyalty.entries(customer)] == [2_000, 1_000]
    await loyalty.deliver(loyalty.sale(customer, [9_000_000], at=now + timedelta(days=2)))
    # together they reach VIP on day 5, though not on day 2
    assert (await loyalty.account(customer)).standing.tier == "VIP"


async def test_a_pinned_tier_is_left_alone_until_its_end(loyalty):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    standing = await loyalty.pin(customer, "Regular", until=now + timedelta(days=10))
    assert (standing.tier, standing.pinned, standing.next_tier) == ("Regular", True, "VIP")
    await loyalty.deliver(loyalty.sale(customer, [13_000_000], at=now + timedelta(days=1)))
    assert (await loyalty.account(customer)).standing.tier == "Regular"
    await loyalty.deliver(loyalty.sale(customer, [1_000], at=now + timedelta(days=10)))
    assert (await loyalty.account(customer)).standing.tier == "VIP"
    assert await changes(loyalty, customer) == [
        ("", "New", "PLUGIN", 1), ("New", "Regular", "PINNED", 2), ("Regular", "VIP", "PLUGIN", 3),
    ]  # fmt: skip


async def test_an_empty_tier_ends_the_pin_and_the_program_decides_again(loyalty):
    customer = await loyalty.customer()
    await loyalty.pin(customer, "New")
    await loyalty.deliver(loyalty.sale(customer, [2_000_000]))
    assert (await loyalty.account(customer)).standing.tier == "New"
    standing = await loyalty.pin(customer, "")
    assert (standing.tier, standing.pinned) == ("New", False)
    await loyalty.deliver(loyalty.sale(customer, [1_000]))
    assert (await loyalty.account(customer)).standing.tier == "Regular"


async def test_sixteen_times_the_same_pin_at_once_changes_the_tier_once(loyalty, refused):
    customer, request_id = await loyalty.customer(), new_uuid()
    replies = await asyncio.gather(*(loyalty.pin(customer, "VIP", request_id) for _ in range(16)))
    assert {reply.tier for reply in replies} == {"VIP"}
    assert (await changes(loyalty, customer))[1:] == [("New", "VIP", "PINNED", 2)]
    assert await refused(loyalty.pin(customer, "New", request_id)) == "IDEMPOTENCY_CONFLICT"
    other = await loyalty.customer()
    assert await refused(loyalty.pin(other, "VIP", request_id)) == "IDEMPOTENCY_CONFLICT"


async def test_a_pin_that_cannot_be_is_refused(loyalty, bare, refused):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    assert await refused(loyalty.pin(customer, "Gold")) == "TIER_NOT_FOUND"
    assert await refused(loyalty.pin(customer, "VIP", until=now)) == "UNTIL_PASSED"
    assert await refused(loyalty.pin("0000000000000", "VIP")) == "ACCOUNT_NOT_FOUND"
    never = pb.SetTierRequest(request_id=new_uuid(), customer_id=customer, tier="VIP", reason="complaint")
    never.until.seconds = 2**62
    assert await refused(loyalty.tiers.SetTier(never)) == "INVALID_FIELDS"
    assert await loyalty.count("tier_pins") == 0


@pytest.mark.parametrize("place", range(4))
async def test_tiers_are_listed_lowest_first_with_their_benefits(loyalty, place):
    reply = await loyalty.tiers.ListTiers(pb.ListTiersRequest())
    assert [tier.name for tier in reply.tiers] == ["New", "Regular", "VIP", "Premium"]
    benefits = reply.tiers[place].benefits
    assert (benefits.priority, benefits.discount_basis_points) == (place, place * 250)


async def test_without_a_program_there_are_no_tiers(bare, refused):
    assert await refused(bare.tiers.ListTiers(pb.ListTiersRequest())) == "PROGRAM_NOT_SET"
    customer = await bare.customer()
    assert (await bare.account(customer)).standing == pb.TierStanding()
    assert await refused(bare.pin(customer, "VIP")) == "PROGRAM_NOT_SET"
