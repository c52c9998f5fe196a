"""Dunning plugins without a database: the ladder, its contract, and one that breaks it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from credit.contract import check_dunning_plugin
from credit.notices.model import Steps
from credit.notices.plugins import CONTRACT, FURTHEST_DAYS, GROUP, Ladder, Overdue
from credit.policies import codec
from credit.policies.codec import Installed
from credit.policies.guarded import GuardedDunning
from credit.policies.model import Policy
from kit import plugins
from kit.errors import DomainError, FailedPrecondition, InvalidArgument
from langganan.credit.v1 import policies_pb2 as pb

CHOICE = pb.Policy(dunning=pb.PluginChoice(plugin="odd"))
CONFIGS: list[dict[str, Any]] = [
    {},
    {"reminders": []},
    {"reminders": [0]},
    {"reminders": [-365, 365]},
    {"block_after_days": None},
    {"reminders": [-1, 30], "block_after_days": 0},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_ladder_keeps_the_contract(config):
    check_dunning_plugin(Ladder, config)


def test_the_ladder_is_installed():
    assert plugins.load(GROUP, CONTRACT)["ladder"] is Ladder


def test_without_a_policy_it_is_three_days_before_on_the_day_1_7_and_14_after_and_a_block_after_14():
    policy = codec.default()
    assert policy.version == 0
    assert policy.reminders == {-3, 0, 1, 7, 14}
    assert [days for days in range(-20, 40) if policy.blocks(days, 1)] == list(range(15, 40))


@pytest.mark.parametrize(
    ("after", "blocked_from"),
    [(0, 1), (1, 2), (30, 31), (None, None)],
)
def test_the_ladder_blocks_from_the_day_after_the_configured_ones(after, blocked_from):
    ladder = Ladder(Ladder.Config(block_after_days=after))
    blocked = [days for days in range(1, 60) if ladder.blocks(Overdue(days, 1))]
    assert blocked == ([] if blocked_from is None else list(range(blocked_from, 60)))


@given(
    after=st.none() | st.integers(0, 3_650),
    days=st.integers(-400, 4_000),
    owed=st.integers(0, 10**15),
)
def test_who_is_not_late_is_never_blocked_and_who_is_by_the_days_alone(after, days, owed):
    policy = Policy(1, GuardedDunning("ladder", Ladder(Ladder.Config(block_after_days=after))))
    assert policy.blocks(days, owed) == (after is not None and days > after)


@given(days=st.frozensets(st.integers(-FURTHEST_DAYS, FURTHEST_DAYS), max_size=30), today=st.dates())
def test_each_reminder_speaks_of_one_due_date_a_day(days, today):
    if not date(2, 1, 1) < today < date(9998, 1, 1):
        return
    due = Steps(9, days).due_dates(today)
    assert sorted((today - each).days for each in due) == sorted(days)
    assert Steps(9, days).horizon == timedelta(days=max((-day for day in days if day < 0), default=0))


@pytest.mark.parametrize(
    "config",
    [
        '{"reminders": ["3"]}',
        '{"reminders": [366]}',
        '{"reminders": [-366]}',
        '{"reminders": [1.5]}',
        '{"block_after_days": -1}',
        '{"block_after_days": "14"}',
        '{"blocks": 3}',
        "[]",
        "{",
    ],
)
def test_a_configuration_with_a_fault_is_refused(config):
    policy = pb.Policy(dunning=pb.PluginChoice(plugin="ladder", config_json=config))
    with pytest.raises(InvalidArgument) as caught:
        codec.compiled(policy, Installed({"ladder": Ladder}, {})).require()
    assert caught.value.reason == "INVALID_PLUGIN_CONFIG"


def odd(reminders: Any = (), blocks: Any = lambda overdue: False) -> type[Any]:
    """A dunning plugin that answers as it is told to."""

    class Odd:
        """Odd."""

        name: ClassVar[str] = "odd"
        contract: ClassVar[int] = CONTRACT

        class Config(BaseModel):
            """None."""

        def __init__(self, config: Any) -> None: ...

        @property
        def reminders(self) -> Any:
            return reminders() if callable(reminders) else reminders

        def blocks(self, overdue: Overdue) -> Any:
            return blocks(overdue)

    return Odd


def raises(*_: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("reminders", [raises, None, [1.0], [True], [366], ["1"]])
def test_a_plugin_whose_days_are_none_is_the_shops_failed_precondition(reminders):
    policy = codec.compiled(CHOICE, Installed({"odd": odd(reminders)}, {}))
    assert policy.reminders is None
    assert not policy.blocks(0, 1)  # who is not late is approved without it
    for ask in (policy.require, lambda: policy.blocks(1, 1)):
        with pytest.raises(FailedPrecondition, match="odd") as caught:
            ask()
        assert caught.value.reason == "PLUGIN_FAILED"


@pytest.mark.parametrize("blocks", [raises, lambda overdue: None, lambda overdue: 1])
def test_a_verdict_against_the_contract_is_the_shops_failed_precondition(blocks):
    policy = codec.compiled(CHOICE, Installed({"odd": odd((0,), blocks)}, {}))
    policy.require()
    with pytest.raises(DomainError) as caught:
        policy.blocks(1, 1)
    assert caught.value.reason == "PLUGIN_FAILED"


@pytest.mark.parametrize(
    ("plugin", "promise"),
    [
        (odd([0.0]), "whole days"),
        (odd([400]), "further"),
        (odd(blocks=lambda o: o.days), "True or False"),
        (odd(blocks=lambda o: o.days == 14), "for longer"),
        (odd(blocks=lambda o: o.owed == 1), "owes more"),
        (odd(iter([[1], [2], [3], [4]]).__next__), "whenever"),
    ],
)
def test_the_contract_suite_finds_a_plugin_that_breaks_it(plugin, promise):
    with pytest.raises(AssertionError, match=promise):
        check_dunning_plugin(plugin, {})
