"""Counts that hold once their transaction is committed: what is undone and done again is counted once.

What is lost at COMMIT itself and turns out to have been written is not counted; nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from prometheus_client import Counter


@dataclass(slots=True)
class _Waiting:
    counts: list[tuple[Counter, float]] = field(default_factory=list)
    over: bool = False


_waiting: ContextVar[_Waiting | None] = ContextVar("counts", default=None)


def count(counter: Counter, by: float = 1) -> None:
    """Count at the end of the transaction or savepoint that this is part of; outside of any, at once."""
    waiting = _waiting.get()
    if waiting is None or waiting.over:  # over: a task that was begun inside goes on after it
        counter.inc(by)
    else:
        waiting.counts.append((counter, by))


@contextmanager
def kept() -> Iterator[None]:
    """Keep back what is counted inside until it is left, and forget it where that is by an exception."""
    waiting = _Waiting()
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        waiting.over = True
        _waiting.reset(token)
    for counter, by in waiting.counts:
        count(counter, by)
