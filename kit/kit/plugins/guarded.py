"""Guards a plugin: measures it, names one that is slow, and keeps its faults to its own shops.

A plugin decides while a customer's lock is held, and cannot be interrupted there: whoever installs a slow
one is told by the metric and, once a minute at most, by a line of the log. What one raises, or answers
against its contract, is PLUGIN_FAILED for the shop that chose it, and nobody else's work is undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import structlog
from prometheus_client import Histogram

from kit.errors import FailedPrecondition

log = structlog.get_logger()
SLOW_S = 0.05
_TELL_EVERY_S = 60.0
_Answer = TypeVar("_Answer")


class Guarded:
    """A plugin, measured and checked; `kind` says what it decides, `seconds` is labelled with its name."""

    kind: ClassVar[str]
    seconds: ClassVar[Histogram]
    _told_at: float = -_TELL_EVERY_S

    def __init__(self, name: str, plugin: Any) -> None:
        self.name, self._plugin = name, plugin
        self._seconds = self.seconds.labels(name)

    def _ask(self, call: Callable[[], _Answer], sound: Callable[[_Answer], bool], size: int = 1) -> _Answer:
        """Return what the plugin answers; raise PLUGIN_FAILED where it raises or the answer is not sound."""
        started = time.perf_counter()
        try:
            answer = call()
            if not sound(answer):
                raise ValueError("an answer against the contract")
        except Exception as error:
            log.exception("plugin_failed", plugin=self.name, error=type(error).__name__)
            raise FailedPrecondition(
                f"the {self.kind} plugin {self.name!r} failed; see the service's log, mend or replace it",
                reason="PLUGIN_FAILED",
                plugin=self.name,
            ) from error
        finally:
            self._note(time.perf_counter() - started, size)
        return answer

    def _note(self, seconds: float, size: int) -> None:
        self._seconds.observe(seconds)
        now = time.monotonic()
        if seconds >= SLOW_S and now - Guarded._told_at >= _TELL_EVERY_S:
            Guarded._told_at = now
            log.warning("plugin_slow", plugin=self.name, seconds=round(seconds, 3), size=size)


def is_count(number: object) -> bool:
    """Tell whether an answer is a whole number from 0; True and 1.0 are none."""
    return type(number) is int and number >= 0
