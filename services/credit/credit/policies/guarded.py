"""The plugins of a policy, guarded: what one raises, or answers against its contract, is its shop's alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from credit import metrics
from credit.limits.plugins import LIMIT_MAX, MONTHS_MAX, History
from credit.notices.plugins import FURTHEST_DAYS, Overdue
from kit.plugins import Guarded, is_count


class GuardedDunning(Guarded):
    """A dunning plugin; its days are asked for once, for a version never changes."""

    kind = "dunning"
    seconds = metrics.PLUGIN_SECONDS

    def __init__(self, name: str, plugin: Any) -> None:
        super().__init__(name, plugin)
        self.reminders: frozenset[int] = frozenset(self._ask(lambda: plugin.reminders, _are_days))

    def blocks(self, overdue: Overdue) -> bool:
        """Tell whether new holds are declined; raise PLUGIN_FAILED."""
        answer: bool = self._ask(lambda: self._plugin.blocks(overdue), lambda said: type(said) is bool)
        return answer


class GuardedLimit(Guarded):
    """A limit plugin; its months are asked for once, for a version never changes."""

    kind = "limits"
    seconds = metrics.PLUGIN_SECONDS

    def __init__(self, name: str, plugin: Any) -> None:
        super().__init__(name, plugin)
        self.months: int = self._ask(lambda: plugin.months, lambda n: is_count(n) and n <= MONTHS_MAX)

    def limit(self, history: History) -> int:
        """Return the limit, minor units; raise PLUGIN_FAILED."""
        answer: int = self._ask(lambda: self._plugin.limit(history), lambda n: is_count(n) and n <= LIMIT_MAX)
        return answer


def _are_days(days: Iterable[int]) -> bool:
    return all(type(day) is int and abs(day) <= FURTHEST_DAYS for day in days)
