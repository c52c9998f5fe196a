"""Guards a plugin: measures it, names one that is slow, and keeps its faults to its own shops.

A plugin decides while a customer's lock is held, and cannot be interrupted there: whoever installs a slow
one is told by the metric and, once a minute at most, by a line of the log. What one raises, or answers
against its contract, is PLUGIN_FAILED for the shop that chose it: sales of that shop wait as NOT_YET until it
is mended, and nobody else's do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog

from kit.errors import FailedPrecondition
from loyalty import metrics
from loyalty.programs.plugins import Earned, EarningLine
from loyalty.tiers.plugins import TierFacts

log = structlog.get_logger()
SLOW_S = 0.05
_TELL_EVERY_S = 60.0
_Answer = TypeVar("_Answer")


class Guarded:
    """A plugin, measured and checked; `kind` says what it decides."""

    kind = ""
    _told_at: float = -_TELL_EVERY_S

    def __init__(self, name: str, plugin: Any) -> None:
        self._name, self._plugin = name, plugin
        self._seconds = metrics.PLUGIN_SECONDS.labels(name)

    def _ask(self, call: Callable[[], _Answer], sound: Callable[[_Answer], bool], size: int = 1) -> _Answer:
        """Return what the plugin answers; raise PLUGIN_FAILED where it raises or the answer is not sound."""
        started = time.perf_counter()
        try:
            answer = call()
            if not sound(answer):
                raise ValueError("an answer against the contract")
        except Exception as error:
            log.exception("plugin_failed", plugin=self._name, error=type(error).__name__)
            raise FailedPrecondition(
                f"the {self.kind} plugin {self._name!r} failed; see the log of loyalty, mend or replace it",
                reason="PLUGIN_FAILED",
                plugin=self._name,
            ) from error
        finally:
            self._note(time.perf_counter() - started, size)
        return answer

    def _note(self, seconds: float, size: int) -> None:
        self._seconds.observe(seconds)
        now = time.monotonic()
        if seconds >= SLOW_S and now - Guarded._told_at >= _TELL_EVERY_S:
            Guarded._told_at = now
            log.warning("plugin_slow", plugin=self._name, seconds=round(seconds, 3), size=size)


class GuardedEarning(Guarded):
    """An earning plugin."""

    kind = "earning"

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return what the lines earn."""

        def sound(earned: Earned) -> bool:
            numbers = (*earned.numerators, earned.denominator)
            return (
                all(_counts(number) for number in numbers)
                and earned.denominator > 0
                and len(earned.numerators) == len(lines)
            )

        earned: Earned = self._ask(lambda: self._plugin.earn(lines), sound, len(lines))
        return earned


class GuardedTier(Guarded):
    """A tier plugin."""

    kind = "tier"

    @property
    def window_days(self) -> int:
        """How far back the facts reach."""
        answer: int = self._ask(lambda: self._plugin.window_days, _counts)
        return answer

    def problem(self, tiers: Sequence[str]) -> str:
        """Say what is wrong with the configuration for these tiers."""
        answer: str = self._ask(lambda: self._plugin.problem(tiers), lambda said: isinstance(said, str))
        return answer

    def decide(self, facts: TierFacts, tiers: Sequence[str]) -> str:
        """Return the tier for the facts, one of `tiers`."""
        answer: str = self._ask(lambda: self._plugin.decide(facts, tiers), lambda tier: tier in tiers)
        return answer

    def counted(self, facts: TierFacts) -> int:
        """Return what counts."""
        answer: int = self._ask(lambda: self._plugin.counted(facts), _counts)
        return answer

    def missing(self, facts: TierFacts, tier: str) -> int:
        """Return what is missing to `tier`."""
        answer: int = self._ask(lambda: self._plugin.missing(facts, tier), _counts)
        return answer


def _counts(number: object) -> bool:
    return type(number) is int and number >= 0
