"""What every dunning and limit plugin must keep: call these from a test with your plugin and configuration.

A plugin decides inside a transaction: pure, synchronous, whole numbers in and out. Each check raises
AssertionError with the promise that is broken.
"""

from __future__ import annotations

import random
from typing import Any

from credit.limits import plugins as limits
from credit.limits.plugins import LIMIT_MAX, MONTHS_MAX, History
from credit.notices import plugins as dunning
from credit.notices.plugins import FURTHEST_DAYS, Overdue
from kit.testing.contract import check_class, twins

_ROUNDS = 200


def check_dunning_plugin(plugin: type[Any], config: dict[str, Any]) -> None:
    """Raise unless `plugin` with `config` keeps the contract of langganan.credit.dunning."""
    check_class(plugin, dunning.CONTRACT)
    first, second = twins(plugin, config)
    days = list(first.reminders)
    assert all(type(day) is int for day in days), "reminders are whole days"
    assert all(abs(day) <= FURTHEST_DAYS for day in days), f"none is further than {FURTHEST_DAYS} days"
    assert days == list(first.reminders) == list(second.reminders), (
        "the same days whenever they are asked for"
    )
    rng = random.Random(1)
    for _ in range(_ROUNDS):
        late = Overdue(
            rng.choice([1, 2, 14, 15, rng.randrange(1, 4_000)]), rng.choice([1, rng.randrange(10**9) + 1])
        )
        said = first.blocks(late)
        assert type(said) is bool, "blocks answers True or False"
        assert said == first.blocks(late) == second.blocks(late), "the same customer is always judged alike"
        if said:
            assert first.blocks(Overdue(late.days + 1, late.owed)), (
                "who is late for longer is not freed by it"
            )
            assert first.blocks(Overdue(late.days, late.owed * 2)), "who owes more is not freed by it"
    assert days == list(first.reminders), "judging customers changes no reminders"


def check_limit_plugin(plugin: type[Any], config: dict[str, Any]) -> None:
    """Raise unless `plugin` with `config` keeps the contract of langganan.credit.limits."""
    check_class(plugin, limits.CONTRACT)
    first, second = twins(plugin, config)
    months = first.months
    assert type(months) is int, "months is a whole number"
    assert 0 <= months <= MONTHS_MAX, f"a plugin looks at 0 to {MONTHS_MAX} months"
    rng = random.Random(1)
    for _ in range(_ROUNDS):
        bought = [rng.choice([0, 1, 999, rng.randrange(10**9)]) for _ in range(months)]
        limit = first.limit(History(tuple(bought)))
        assert type(limit) is int, "a limit is a whole number, never a float"
        assert 0 <= limit <= LIMIT_MAX, f"a limit is 0 to {LIMIT_MAX} minor units"
        again = History(tuple(bought))
        assert limit == first.limit(again) == second.limit(again), (
            "the same history always gives the same limit"
        )
        more = first.limit(History(tuple(each * 2 + 1 for each in bought)))
        assert more >= limit, "who buys more in every month never gets a lower limit"
    assert months == first.months == second.months, "the same months whenever they are asked for"
