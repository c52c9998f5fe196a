"""Cuts a poll into waves that can be applied at once: wave k holds the k-th run of each customer.

A run is one event, or as many of one kind in a row as its handler folds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def cut(
    events: Iterable[T],
    customer: Callable[[T], Hashable],
    folds: Callable[[T], Hashable] = lambda event: None,
) -> list[list[T]]:
    """Return the waves in order; the order of one customer's events is kept in and across them.

    `folds`: what kind an event is of, if it may share a wave with its customer's one before it of that kind.
    """
    seen: dict[Hashable, tuple[int, Hashable]] = {}
    waves: list[list[T]] = []
    for event in events:
        who, kind = customer(event), folds(event)
        number, before = seen.get(who, (-1, None))
        if kind is None or kind != before:
            number += 1
        seen[who] = number, kind
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
