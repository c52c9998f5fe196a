"""An earning rule that is slow, raises or answers nonsense: measured, named, and kept to its own shop."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import structlog
from pydantic import BaseModel

from kit.errors import FailedPrecondition
from langganan.loyalty.v1 import programs_pb2 as pb
from loyalty import metrics
from loyalty.programs import guarded
from loyalty.programs.codec import compile_program
from loyalty.programs.plugins import Earned, EarningLine
from loyalty.tiers.plugins import TierFacts


class Snail:
    """Takes as long as the test's limit allows, or longer."""

    name: ClassVar[str] = "snail"
    contract: ClassVar[int] = 1

    class Config(BaseModel):
        """None."""

    def __init__(self, config: Any) -> None: ...

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        return Earned(tuple(0 for _ in lines), 1)


def test_a_slow_earning_rule_is_measured_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded.Guarded, "_told_at", -60.0)
    monkeypatch.setattr("kit.plugins.guarded.SLOW_S", 0.0)
    choice = pb.PluginChoice(plugin="snail", config_json="{}")
    program = compile_program(
        pb.Program(currency_code="IDR", earning=[choice]), {"snail": Snail}, {}, strict=True
    )
    measured = metrics.PLUGIN_SECONDS.labels("snail")
    before = measured._sum.get()
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            program.earn([], 0, 10_000)
    assert measured._sum.get() > before
    (line,) = [entry for entry in said if entry["event"] == "plugin_slow"]
    assert line["plugin"] == "snail"


def _raises(lines: Sequence[EarningLine]) -> Earned:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "earn",
    [
        _raises,
        lambda lines: None,
        lambda lines: Earned((1.5,), 1),
        lambda lines: Earned((-1,), 1),
        lambda lines: Earned((1,), 0),
        lambda lines: Earned((1, 1), 1),
    ],
)
def test_an_earning_rule_that_breaks_its_contract_is_the_shops_failed_precondition(
    earn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Snail, "earn", lambda self, lines: earn(lines))
    guard = guarded.GuardedEarning("snail", Snail(None))
    with pytest.raises(FailedPrecondition, match="snail") as caught:
        guard.earn([EarningLine("p", (), 1_000, 10, 10)])
    assert caught.value.reason == "PLUGIN_FAILED"


@pytest.mark.parametrize(
    ("method", "answer"),
    [("decide", "Unheard of"), ("decide", None), ("counted", 1.5), ("missing", -1), ("problem", None)],
)
def test_a_tier_rule_that_answers_against_its_contract_is_the_shops_failed_precondition(
    method: str, answer: Any
) -> None:
    plugin = type("Odd", (), {method: lambda *_: answer})()
    guard = guarded.GuardedTier("odd", plugin)
    facts = TierFacts(1, 1)
    asked: dict[str, tuple[Any, ...]] = {
        "decide": (facts, ["New"]),
        "counted": (facts,),
        "missing": (facts, "New"),
        "problem": (["New"],),
    }
    with pytest.raises(FailedPrecondition, match="odd") as caught:
        getattr(guard, method)(*asked[method])
    assert caught.value.reason == "PLUGIN_FAILED"
