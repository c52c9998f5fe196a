"""Guards an earning plugin: measures it, names one that is slow, and keeps its faults to its own shops.

A plugin decides while a customer's lock is held, and cannot be interrupted there: whoever installs a slow
one is told by the metric and, once a minute at most, by a line of the log. What one raises, or answers
against its contract, is PLUGIN_FAILED for the shop that chose it: sales of that shop wait as NOT_YET until it
is mended, and nobody else's do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from kit.errors import FailedPrecondition
from loyalty import metrics
from loyalty.programs.plugins import Earned, EarningLine

log = structlog.get_logger()
SLOW_S = 0.05
_TELL_EVERY_S = 60.0


class GuardedEarning:
    """An earning plugin, measured and checked."""

    _told_at: float = -_TELL_EVERY_S

    def __init__(self, name: str, plugin: Any) -> None:
        self._name, self._plugin = name, plugin
        self._seconds = metrics.PLUGIN_SECONDS.labels(name)

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return what the plugin answers; raise PLUGIN_FAILED where it raises or breaks its contract."""
        started = time.perf_counter()
        try:
            earned: Earned = self._plugin.earn(lines)
            numbers = (*earned.numerators, earned.denominator)
            sound = all(type(number) is int and number >= 0 for number in numbers) and earned.denominator > 0
            if not sound or len(earned.numerators) != len(lines):
                raise ValueError("an answer against the contract")
        except Exception as error:
            log.exception("plugin_failed", plugin=self._name, error=type(error).__name__)
            raise FailedPrecondition(
                f"the earning plugin {self._name!r} failed; see the log of loyalty, and mend or replace it",
                reason="PLUGIN_FAILED",
                plugin=self._name,
            ) from error
        finally:
            self._note(time.perf_counter() - started, len(lines))
        return earned

    def _note(self, seconds: float, lines: int) -> None:
        self._seconds.observe(seconds)
        now = time.monotonic()
        if seconds >= SLOW_S and now - GuardedEarning._told_at >= _TELL_EVERY_S:
            GuardedEarning._told_at = now
            log.warning("plugin_slow", plugin=self._name, seconds=round(seconds, 3), lines=lines)
