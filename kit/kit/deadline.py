"""The caller's deadline, carried beside the call: past deadlines are not worked on."""

from __future__ import annotations

import time
from contextvars import ContextVar

_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_remaining(seconds: float | None) -> None:
    """Note how many seconds the present call still has; None: no deadline."""
    _DEADLINE.set(None if seconds is None else time.monotonic() + seconds)


def at() -> float | None:
    """Return the monotonic instant by which the present call must be answered; None: no deadline."""
    return _DEADLINE.get()


def passed(instant: float | None) -> bool:
    """Tell whether a monotonic deadline lies in the past."""
    return instant is not None and time.monotonic() >= instant
