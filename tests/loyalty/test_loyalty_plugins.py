"""Plugins: the built-in ones keep the contract, a broken one is told what it breaks."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import BaseModel

from kit.errors import InvalidArgument
from kit.plugins import configure
from loyalty.contract import check_earning_plugin, check_tier_plugin
from loyalty.programs.plugins import Earned, EarningLine, PerAmount, ProductMultiplier
from loyalty.tiers.plugins import RollingSpend, TierFacts

RULES = [
    {"products": ["p1"], "basis_points": 20_000},
    {"categories": ["milk"], "basis_points": 30_000},
    {"categories": ["petrol"], "basis_points": 0},
]
THRESHOLDS = {"Regular": 100, "VIP": 1_000, "Premium": 10_000}


def test_the_built_in_plugins_keep_their_contracts():
    check_earning_plugin(PerAmount, {"step": 1000})
    check_earning_plugin(ProductMultiplier, {"step": 1000, "rules": RULES})
    check_tier_plugin(RollingSpend, {"thresholds": THRESHOLDS})


class Floating:
    """Gives halves of points as floats."""

    name: ClassVar[str] = "floating"
    contract: ClassVar[int] = 1

    class Config(BaseModel):
        """Nothing to configure."""

    def __init__(self, config: Config) -> None:
        pass

    def earn(self, lines):
        return Earned(tuple(line.base / 2 for line in lines), 1)


class Forgetful(Floating):
    """Earns less every time."""

    name: ClassVar[str] = "forgetful"

    def __init__(self, config: Floating.Config) -> None:
        self.calls = 0

    def earn(self, lines):
        self.calls += 1
        return Earned(tuple(line.base for line in lines), self.calls)


def test_a_plugin_that_answers_floats_is_told_so():
    with pytest.raises(AssertionError, match="never floats"):
        check_earning_plugin(Floating, {})


def test_a_plugin_that_remembers_is_told_so():
    with pytest.raises(AssertionError, match="always earn the same"):
        check_earning_plugin(Forgetful, {})


@pytest.mark.parametrize(
    ("product", "categories", "weight"),
    [
        ("p9", (), 10_000),
        ("p1", (), 20_000),
        ("p1", ("milk",), 30_000),
        ("p9", ("petrol",), 0),
        ("p9", ("petrol", "milk"), 30_000),
    ],
)
def test_the_highest_rule_that_matches_weighs_a_line(product, categories, weight):
    plugin = configure(
        {"m": ProductMultiplier}, "m", {"step": 10, "rules": RULES, "default_basis_points": 10_000}
    )
    earned = plugin.earn([EarningLine(product, categories, 1000, 70, 70)])
    assert (earned.numerators, earned.denominator) == ((70 * weight,), 100_000)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"Gold": 1}, "Gold"),
        ({"Regular": 1, "VIP": 2}, "do not name Premium"),
        ({"Regular": 5, "VIP": 5, "Premium": 6}, "must rise"),
        ({"Regular": -5, "VIP": 5, "Premium": 6}, "must rise"),
    ],
)
def test_thresholds_must_fit_the_tiers(thresholds, words):
    plugin = configure({"r": RollingSpend}, "r", {"thresholds": thresholds})
    assert words in plugin.problem(("New", "Regular", "VIP", "Premium"))


@pytest.mark.parametrize(
    ("spend", "tier", "missing"), [(0, "New", 100), (99, "New", 1), (100, "Regular", 0), (5_000, "VIP", 0)]
)
def test_a_threshold_is_reached_at_its_very_amount(spend, tier, missing):
    plugin = configure({"r": RollingSpend}, "r", {"thresholds": THRESHOLDS})
    facts = TierFacts(spend)
    assert plugin.decide(facts, ("New", "Regular", "VIP", "Premium")) == tier
    assert plugin.missing(facts, "Regular") == missing


@pytest.mark.parametrize("config", [{}, {"step": 0}, {"step": 1.5}, {"step": "10"}, {"step": 1, "stp": 2}])
def test_a_configuration_with_a_fault_is_refused(config):
    with pytest.raises(InvalidArgument) as caught:
        configure({"per_amount": PerAmount}, "per_amount", config)
    assert caught.value.reason == "INVALID_PLUGIN_CONFIG"
