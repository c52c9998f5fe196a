"""Limit plugins and the months that they look at, without a database."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from credit.accounts.model import Account, PolicyLimit, Status
from credit.contract import check_limit_plugin
from credit.limits.model import decided, history, is_due, months_before, next_month, postponed
from credit.limits.plugins import CONTRACT, GROUP, LIMIT_MAX, MONTHS_MAX, Fixed, History, PurchaseHistory
from credit.notices.plugins import Ladder
from credit.policies import codec
from credit.policies.codec import Installed
from credit.policies.model import Policy
from kit import plugins
from kit.errors import DomainError
from langganan.credit.v1 import policies_pb2 as pb

TODAY = date(2026, 3, 5)
ACCOUNT = Account("toko", "c", status=Status.ACTIVE, limit=7, by_policy=PolicyLimit(1, TODAY))


def share(**config: Any) -> PurchaseHistory:
    return PurchaseHistory(PurchaseHistory.Config(**config))


def policy(plugin: type[Any] | None = None, config: str = "{}", version: int = 2) -> Policy:
    """A policy with a limits plugin named odd; None: it is not installed."""
    message = pb.Policy(
        version=version,
        dunning=pb.PluginChoice(plugin="ladder"),
        limits=pb.PluginChoice(plugin="odd", config_json=config),
    )
    return codec.compiled(message, Installed({"ladder": Ladder}, {"odd": plugin} if plugin else {}))


@pytest.mark.parametrize(
    ("plugin", "config"),
    [
        (Fixed, {"limit": 0}),
        (Fixed, {"limit": LIMIT_MAX}),
        (PurchaseHistory, {"share_basis_points": 5_000, "max": 1_000_000}),
        (PurchaseHistory, {"months": 1, "share_basis_points": 1_000_000, "max": LIMIT_MAX}),
        (PurchaseHistory, {"months": 36, "share_basis_points": 1, "step": 50_000, "min": 10, "max": 10**9}),
    ],
)
def test_the_built_in_ones_keep_the_contract(plugin, config):
    check_limit_plugin(plugin, config)


def test_the_built_in_ones_are_installed():
    found = plugins.load(GROUP, CONTRACT)
    assert (found["fixed"], found["purchase_history"]) == (Fixed, PurchaseHistory)


@pytest.mark.parametrize(
    ("config", "months", "limit"),
    [
        ({}, [600, 0, 0], 100),  # half of the average of 200
        ({}, [100, 200, 303], 100),  # 100.5 rounded down
        ({"share_basis_points": 20_000}, [100, 200, 303], 402),
        ({"step": 50}, [600, 0, 300], 150),
        ({"step": 40}, [600, 0, 300], 120),
        ({"min": 500}, [600, 0, 0], 500),
        ({"max": 90}, [600, 0, 0], 90),
        ({"step": 40, "max": 130}, [3_000, 0, 0], 130),  # bounds are not rounded
        ({"min": 1}, [0, 0, 0], 1),
        ({"min": 0}, [0, 0, 0], 0),
    ],
)
def test_a_share_of_the_average_month_rounded_down_once_within_bounds(config, months, limit):
    plugin = share(**({"months": 3, "share_basis_points": 5_000, "max": 10_000} | config))
    assert plugin.limit(History(months)) == limit


@given(
    months=st.lists(st.integers(0, 10**12), min_size=1, max_size=MONTHS_MAX),
    bp=st.integers(1, 1_000_000),
    step=st.integers(1, 10**7),
    bounds=st.tuples(st.integers(0, 10**13), st.integers(0, 10**13)).map(sorted),
)
def test_any_share_is_within_bounds_and_never_more_than_the_exact_one(months, bp, step, bounds):
    low, high = bounds
    limit = share(months=len(months), share_basis_points=bp, step=step, min=low, max=high).limit(
        History(months)
    )
    assert low <= limit <= high
    if low < limit < high:
        assert limit % step == 0
        exact = sum(months) * bp
        assert limit * len(months) * 10_000 <= exact < (limit + step) * len(months) * 10_000


@pytest.mark.parametrize(
    ("plugin", "config"),
    [
        (Fixed, {}),
        (Fixed, {"limit": -1}),
        (Fixed, {"limit": "5"}),
        (Fixed, {"limit": LIMIT_MAX + 1}),
        (PurchaseHistory, {"share_basis_points": 1}),
        (PurchaseHistory, {"share_basis_points": 0, "max": 1}),
        (PurchaseHistory, {"share_basis_points": 1, "max": 1, "min": 2}),
        (PurchaseHistory, {"share_basis_points": 1, "max": 1, "step": 0}),
        (PurchaseHistory, {"share_basis_points": 1, "max": 1, "months": 0}),
        (PurchaseHistory, {"share_basis_points": 1, "max": 1, "months": 37}),
        (PurchaseHistory, {"share_basis_points": 1.5, "max": 1}),
    ],
)
def test_a_configuration_with_a_fault_is_refused(plugin, config):
    with pytest.raises(ValidationError):
        plugin.Config.model_validate(config)


@pytest.mark.parametrize(
    ("month", "before"),
    [
        (date(2026, 3, 1), [date(2026, 2, 1), date(2026, 1, 1), date(2025, 12, 1)]),
        (date(2026, 1, 1), [date(2025, 12, 1), date(2025, 11, 1), date(2025, 10, 1)]),
    ],
)
def test_the_months_before_one_begin_with_the_latest(month, before):
    assert months_before(month, 3) == before
    assert months_before(month, 0) == []


@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)), st.integers(1, MONTHS_MAX))
def test_months_follow_each_other_without_a_gap(day, count):
    months = months_before(day.replace(day=1), count)
    assert [next_month(month) for month in months] == [day.replace(day=1), *months[:-1]]
    assert next_month(day) > day >= next_month(day) - timedelta(days=31)


def test_a_month_in_which_more_was_given_back_than_bought_counts_as_nothing():
    spend = {date(2026, 2, 1): -5, date(2026, 1, 1): 7, date(2025, 11, 1): 9, date(2026, 3, 1): 99}
    assert history(spend, date(2026, 3, 1), 3) == History((0, 7, 0))


def test_a_decision_holds_until_the_next_month_and_names_its_version():
    after = decided(ACCOUNT, policy(Fixed, '{"limit": 50}'), TODAY, {})
    assert (after.limit, after.by_policy) == (50, PolicyLimit(2, date(2026, 4, 1)))
    assert not is_due(after, date(2026, 3, 31))
    assert is_due(after, date(2026, 4, 1))


def test_a_policy_without_a_limits_plugin_leaves_the_limit_as_it_was():
    after = decided(ACCOUNT, codec.default(), TODAY, {})
    assert (after.limit, after.by_policy) == (7, PolicyLimit(1, date(2026, 4, 1)))


def test_a_limit_that_cannot_be_decided_stays_and_is_asked_for_again_tomorrow():
    with pytest.raises(DomainError) as caught:
        decided(ACCOUNT, policy(), TODAY, {})
    assert caught.value.reason == "PLUGIN_MISSING"
    after = postponed(ACCOUNT, date(2026, 3, 31))
    assert (after.limit, after.by_policy) == (7, PolicyLimit(1, date(2026, 4, 1)))


def test_who_is_not_under_the_policy_is_never_due():
    assert not is_due(Account("toko", "c"), TODAY)


def odd(limit: Any, months: Any = 2) -> type[Any]:
    """A limit plugin that answers as it is told to."""

    class Odd:
        """Odd."""

        name: ClassVar[str] = "odd"
        contract: ClassVar[int] = CONTRACT

        class Config(BaseModel):
            """None."""

        def __init__(self, config: Any) -> None: ...

        @property
        def months(self) -> Any:
            return months() if callable(months) else months

        def limit(self, history: History) -> Any:
            return limit(history)

    return Odd


def raises(*_: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "limit", [raises, lambda h: None, lambda h: -1, lambda h: 1.0, lambda h: LIMIT_MAX + 1]
)
def test_a_limit_against_the_contract_is_the_shops_failed_precondition(limit):
    made = policy(odd(limit))
    made.require()
    with pytest.raises(DomainError, match="odd") as caught:
        decided(ACCOUNT, made, TODAY, {})
    assert caught.value.reason == "PLUGIN_FAILED"


@pytest.mark.parametrize("months", [raises, None, -1, MONTHS_MAX + 1, True])
def test_months_against_the_contract_are_the_shops_failed_precondition(months):
    made = policy(odd(lambda h: 1, months))
    assert made.months == 0
    with pytest.raises(DomainError) as caught:
        made.require()
    assert caught.value.reason == "PLUGIN_FAILED"


@pytest.mark.parametrize(
    ("plugin", "promise"),
    [
        (odd(lambda h: 1, MONTHS_MAX + 1), "looks at"),
        (odd(lambda h: 1, 1.0), "whole number"),
        (odd(lambda h: 1.0), "never a float"),
        (odd(lambda h: -1), "minor units"),
        (odd(lambda h: 10**9 if sum(h.months) == 0 else 0), "never gets a lower"),
        (odd(lambda h, seen=[]: seen.append(1) or len(seen)), "same history"),
    ],
)
def test_the_contract_suite_finds_a_plugin_that_breaks_it(plugin, promise):
    with pytest.raises(AssertionError, match=promise):
        check_limit_plugin(plugin, {})
