"""Cuts a poll into waves: wave k holds the k-th event of each customer, so a wave can be applied at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def cut(events: Iterable[T], customer: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the waves in order; the order of one customer's events is kept across them."""
    seen: dict[Hashable, int] = {}
    waves: list[list[T]] = []
    for event in events:
        who = customer(event)
        number = seen.get(who, 0)
        seen[who] = number + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(event)
    return waves


def by_type(wave: Iterable[T], kind: Callable[[T], str]) -> dict[str, list[T]]:
    """Group a wave by event type, keeping the order in each."""
    groups: dict[str, list[T]] = {}
    for event in wave:
        groups.setdefault(kind(event), []).append(event)
    return groups
