"""The daily sweep decides tiers again, as of the beginning of the customer's local day: they may fall."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kit.testing.eventually import eventually
from langganan.events.v1 import loyalty_pb2
from langganan.loyalty.v1.programs_pb2 import PluginChoice
from loyalty.accounts.model import Account
from loyalty.tiers.model import daily_change, decides_daily
from loyalty.tiers.plugins import RollingSpend, TierFacts
from tests.loyalty.books import AT, TODAY, program
from tests.loyalty.facts import NOON

YEAR = timedelta(days=365)
NAMES = ("New", "Regular", "VIP")
# What was bought at NOON (12:00 in Jakarta) counts on the day after a year for the last time.
KEPT = datetime(2027, 3, 1, 17, 0, tzinfo=UTC)
FALLEN = datetime(2027, 3, 2, 17, 0, tzinfo=UTC)


def tiered(**changes):
    plugin = RollingSpend(RollingSpend.Config(window_days=10, thresholds={"Regular": 100, "VIP": 1_000}))
    return program(tiers=NAMES, benefits=(), tier_plugin=plugin, **changes)


@pytest.mark.parametrize(
    ("tier", "seen", "to"),
    [
        ("VIP", [TierFacts(999)], "Regular"),
        ("VIP", [TierFacts(0)], "New"),
        ("New", [TierFacts(1_000)], "VIP"),
        ("VIP", [TierFacts(999), TierFacts(1_000)], ""),
        ("Gold", [TierFacts(100)], "Regular"),
        ("", [TierFacts()], "New"),
        ("Regular", [TierFacts(100)], ""),
    ],
)
def test_the_tier_is_the_one_deserved_at_the_beginning_of_the_day(tier, seen, to):
    account = Account("m", "c", tier=tier, tier_since=AT - timedelta(days=1), tier_revision=4)
    change = daily_change(account, tiered(), seen, TODAY, AT)
    assert (change.to_tier if change else "") == to
    if change:
        assert (change.cause, change.cause_id, change.effective_at) == ("PLUGIN", "2026-03-02", AT)
        assert change.revision == account.tier_revision == 5


@pytest.mark.parametrize(
    ("fields", "decides"),
    [
        ({}, True),
        ({"tier_since": AT}, True),
        ({"tier_since": AT + timedelta(seconds=1)}, False),
        ({"pinned": True}, False),
        ({"pinned": True, "pinned_until": AT + timedelta(seconds=1)}, False),
        ({"pinned": True, "pinned_until": AT}, True),
        ({"erased_at": AT - timedelta(days=9)}, False),
    ],
)
def test_pinned_erased_and_changed_since_are_left_alone(fields, decides):
    account = Account("m", "c", tier="VIP", **{"tier_since": AT - timedelta(days=1), **fields})
    assert decides_daily(account, tiered(), AT) is decides
    assert not decides_daily(account, program(tiers=NAMES, benefits=()), AT)


async def changes(loyalty, customer):
    said = [f for f in await loyalty.said(customer) if isinstance(f, loyalty_pb2.TierChanged)]
    return [(f.from_tier, f.to_tier, f.cause, f.cause_id) for f in said][1:]


async def bought(loyalty, net, at=NOON):
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [net], at=at)
    await loyalty.deliver(sale)
    return customer, sale.payload.purchase_id


async def test_a_tier_falls_once_what_gave_it_has_left_the_window(timed):
    customer, purchase = await bought(timed, 13_000_000)
    rise = ("New", "VIP", "PLUGIN", purchase)
    await timed.wake(KEPT)
    assert await changes(timed, customer) == [rise]
    await timed.wake(FALLEN)
    assert await changes(timed, customer) == [rise, ("VIP", "New", "PLUGIN", "2027-03-03")]
    last = [f for f in await timed.said(customer) if isinstance(f, loyalty_pb2.TierChanged)][-1]
    assert (last.effective_at.ToDatetime(tzinfo=UTC), last.revision) == (FALLEN, 3)
    standing = (await timed.account(customer)).standing
    assert (standing.tier, standing.since.ToDatetime(tzinfo=UTC)) == ("New", FALLEN)
    await timed.wake(FALLEN + timedelta(days=9))
    assert len(await changes(timed, customer)) == 2


async def test_it_falls_to_what_is_still_deserved_and_a_late_sale_earns_in_the_tier_of_its_time(timed):
    customer, _ = await bought(timed, 13_000_000)
    await timed.deliver(timed.sale(customer, [2_000_000], at=NOON + timedelta(days=100)))
    await timed.wake(FALLEN + timedelta(hours=10))
    assert (await timed.account(customer)).standing.tier == "Regular"
    await timed.deliver(timed.sale(customer, [1_000_000], at=FALLEN - timedelta(hours=1)))
    await timed.deliver(timed.sale(customer, [1_000_000], at=FALLEN + timedelta(hours=1)))
    earned = [points for kind, points, _ in await timed.entries(customer) if kind == "EARN"]
    assert earned[-2:] == [1_250, 1_100]


async def test_a_pinned_tier_stays_and_is_decided_again_on_the_day_after_its_end(timed):
    customer, _ = await bought(timed, 13_000_000)
    until = FALLEN + timedelta(days=3)
    timed.run.clock.advance(timedelta(days=1))
    await timed.pin(customer, "Premium", until=until)
    await timed.wake(until - timedelta(hours=1))
    assert (await timed.account(customer)).standing.tier == "Premium"
    await timed.wake(until)
    assert (await changes(timed, customer))[-1] == ("Premium", "New", "PLUGIN", "2027-03-06")


async def test_a_sweep_that_comes_late_does_not_undo_what_was_bought_since_the_day_began(timed):
    risen, kept = (await bought(timed, 2_000_000))[0], (await bought(timed, 13_000_000))[0]
    morning = FALLEN + timedelta(hours=3)
    await timed.deliver(timed.sale(risen, [12_000_000], at=morning))
    await timed.deliver(timed.sale(kept, [12_000_000], at=morning))
    await timed.wake(FALLEN + timedelta(hours=10))
    assert [(await timed.account(c)).standing.tier for c in (risen, kept)] == ["VIP", "VIP"]
    assert (await changes(timed, kept))[-1][:2] == ("New", "VIP")


async def test_a_program_that_asks_for_less_raises_tiers_from_the_next_day_on(timed):
    customer, _ = await bought(timed, 1_000_000)
    less = {"window_days": 365, "thresholds": {"Regular": 1_000_000, "VIP": 2_000_000, "Premium": 3_000_000}}
    plugin = PluginChoice(plugin="rolling_spend", config_json=json.dumps(less))
    await timed.set_program(tier_plugin=plugin)
    await timed.wake(NOON + timedelta(days=1))
    assert (await changes(timed, customer))[-1] == ("New", "Regular", "PLUGIN", "2026-03-03")


async def test_where_the_programs_plugin_is_absent_tiers_stand_still_and_points_expire(timed):
    customer, _ = await bought(timed, 13_000_000)
    await timed.lose_tier_plugin()
    assert await timed.wake(FALLEN) == 1
    assert len(await changes(timed, customer)) == 1
    assert [kind for kind, _, _ in await timed.entries(customer)] == ["EARN", "EXPIRE"]


async def test_a_tier_rule_that_breaks_lets_its_own_shops_sales_wait_and_stops_nobody(timed, monkeypatch):
    customers = [await timed.customer() for _ in range(12)]
    with monkeypatch.context() as broken:
        broken.setattr(RollingSpend, "decide", lambda *_: 1 / 0)
        # More customers than may be poisoned in a minute: nobody is, or this would stop the consumer.
        await timed.deliver(*(timed.sale(customer, [1_000_000], at=NOON) for customer in customers))
        assert [await timed.parked(customer) for customer in customers] == [["NOT_YET"]] * 12
        assert await timed.wake(NOON + timedelta(days=1)) == 12, "their day turns all the same"

    async def booked():
        await timed.run.service.consumer.retry_not_yet()
        return [await timed.parked(customer) for customer in customers] == [[]] * 12

    await eventually(booked)
    assert [len(await timed.entries(customer)) for customer in customers] == [1] * 12
