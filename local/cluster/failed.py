"""The one exception of a check: its message says what was promised and what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_SECONDS = 1.0


class Failed(Exception):
    """A promise that did not hold; the message is one sentence for whoever reads the run."""


def until(what: str, probe: Callable[[], T], seconds: float, every: float = EVERY_SECONDS) -> T:
    """Ask `probe` until it says something true, and return that; Failed when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return value
