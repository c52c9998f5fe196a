"""What every earning and tier plugin must keep: call these from a test with your plugin and configuration.

A plugin decides inside a transaction: pure, synchronous, integers in and out. Each check raises
AssertionError with the promise that is broken.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from kit.testing.contract import check_class, twins
from loyalty.programs import plugins as earning
from loyalty.programs.plugins import EarningLine
from loyalty.tiers import plugins as tiers
from loyalty.tiers.plugins import TierFacts

_ROUNDS = 200
_TIERS = ("New", "Regular", "VIP", "Premium")


def check_earning_plugin(plugin: type[Any], config: dict[str, Any]) -> None:
    """Raise unless `plugin` with `config` keeps the contract of langganan.loyalty.earning."""
    check_class(plugin, earning.CONTRACT)
    first, second = twins(plugin, config)
    rng = random.Random(1)
    for size in range(_ROUNDS):
        lines = [_line(rng) for _ in range(size % 40)]
        kept = list(lines)
        earned = first.earn(lines)
        assert lines == kept, "earn must not change the lines it is given"
        assert len(earned.numerators) == len(lines), "earn answers each line, in order"
        numbers = (*earned.numerators, earned.denominator)
        assert all(type(number) is int for number in numbers), "earn answers integers, never floats"
        assert earned.denominator > 0, "the denominator is positive"
        assert all(numerator >= 0 for numerator in earned.numerators), "a line never earns less than nothing"
        assert earned == first.earn(lines) == second.earn(lines), "the same lines always earn the same"


def check_tier_plugin(plugin: type[Any], config: dict[str, Any], names: Sequence[str] = _TIERS) -> None:
    """Raise unless `plugin` with `config` keeps the contract of langganan.loyalty.tiers for `names`."""
    check_class(plugin, tiers.CONTRACT)
    first, second = twins(plugin, config)
    problem = first.problem(names)
    assert problem == "", f"the configuration does not fit the tiers: {problem}"
    assert type(first.window_days) is int, "window_days is an integer"
    assert first.window_days >= 0, "a window does not reach into the future"
    rng = random.Random(1)
    for _ in range(_ROUNDS):
        facts = TierFacts(rng.randrange(10**9), rng.randrange(1000))
        tier = first.decide(facts, names)
        assert tier in names, f"decide answered {tier!r}, which is none of the program's tiers"
        assert tier == first.decide(facts, names) == second.decide(facts, names), "same facts, same tier"
        more = first.decide(TierFacts(facts.spend * 2 + 1, facts.visits * 2 + 1), names)
        assert names.index(more) >= names.index(tier), "who does more is never in a lower tier"
        counts = [first.counted(facts), *(first.missing(facts, name) for name in names)]
        assert all(type(count) is int and count >= 0 for count in counts), "counts are integers from 0"
        assert first.missing(facts, tier) == 0 or tier == names[0], "nothing is missing to the tier reached"


def _line(rng: random.Random) -> EarningLine:
    net = rng.choice([0, 1, 999, 10_000, rng.randrange(10**9)])
    return EarningLine(
        product_id=rng.choice(["", "p1", "p2", "p3"]),
        categories=tuple(rng.sample(["food", "milk", "petrol"], rng.randrange(3))),
        thousandths=rng.choice([0, 1, 1000, 750]),
        net=net,
        base=rng.choice([0, net, rng.randrange(net + 1)]),
    )
