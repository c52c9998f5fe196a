"""A tier plugin that is absent or fails stops tiers alone: points are read, and writes are answered."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
from pydantic import BaseModel

from langganan.loyalty.v1 import tiers_pb2
from loyalty.accounts.model import Account
from loyalty.programs.guarded import GuardedTier
from loyalty.tiers.plugins import RollingSpend, TierFacts
from loyalty.tiers.standing import standing_of
from tests.loyalty.books import AT, program

THRESHOLDS = {"Regular": 100}


async def bought(loyalty, points):
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [points * 1_000]))
    return customer


def say(standing):
    return (standing.tier, standing.undecided, standing.next_tier, standing.to_next_tier, standing.counted)


async def test_balances_are_read_while_the_tier_plugin_is_absent(loyalty):
    customer = await bought(loyalty, 40)
    assert say((await loyalty.account(customer)).standing) == ("New", False, "Regular", 1_960_000, 40_000)
    await loyalty.lose_tier_plugin()
    account = await loyalty.account(customer)
    assert (account.balance, account.active) == (40, 40)
    assert say(account.standing) == ("New", True, "", 0, 0)
    assert (await loyalty.explained(customer)).account == account


async def test_an_adjustment_and_a_pin_are_answered_while_the_tier_plugin_is_absent(loyalty):
    customer = await bought(loyalty, 40)
    await loyalty.lose_tier_plugin()
    adjusted = await loyalty.adjust(customer, 5)
    assert (adjusted.entry.points, adjusted.account.balance) == (5, 45)
    assert (await loyalty.account(customer)).balance == 45
    standing = await loyalty.pin(customer, "VIP")
    assert (standing.pinned, *say(standing)) == (True, "VIP", True, "", 0, 0)
    assert (await loyalty.account(customer)).standing == standing


class Broken(RollingSpend):
    """A third party's plugin with faults."""

    Config: ClassVar[type[BaseModel]] = RollingSpend.Config
    window: bool = True

    @property
    def window_days(self) -> int:
        if self.window:
            raise RuntimeError("no window")
        return 10

    def missing(self, facts: TierFacts, tier: str) -> int:
        raise ZeroDivisionError


@pytest.mark.parametrize("window", [True, False])
async def test_a_tier_plugin_that_fails_spoils_no_answer(loyalty, window):
    plugin = Broken(RollingSpend.Config(window_days=10, thresholds=THRESHOLDS))
    plugin.window = window
    faulty = program(tiers=("New", "Regular"), benefits=(), tier_plugin=GuardedTier("broken", plugin))
    account = Account(loyalty.merchant, await loyalty.customer(), tier="New")
    async with loyalty.run.pool.acquire() as conn:
        assert await standing_of(conn, account, faulty, AT) == tiers_pb2.TierStanding(
            tier="New", undecided=True
        )
        sound = replace(faulty, tier_plugin=RollingSpend(RollingSpend.Config(thresholds=THRESHOLDS)))
        assert say(await standing_of(conn, account, sound, AT)) == ("New", False, "Regular", 100, 0)
