"""Why something is done: by what its log lines are found, and which trace goes on with what follows from it.

A cause is a call, an event, or a message to send. What is done for several at once (a batch, a poll) has all
of them as its causes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from kit import trace

Customer = tuple[str, str]  # merchant, key

_SHOWN = 8  # causes that a log line names


@dataclass(frozen=True, slots=True)
class Cause:
    """`ids` name it in log lines; `traceparent` is W3C's, empty: no trace; `customer`: whom it is about."""

    ids: Mapping[str, object]
    traceparent: str = ""
    customer: Customer | None = None


_PRESENT: ContextVar[Sequence[Cause]] = ContextVar("causes", default=())


def present() -> Sequence[Cause]:
    """Return the causes of what is being done; none where it is done by itself (a sweep)."""
    return _PRESENT.get()


def become(causes: Sequence[Cause]) -> None:
    """Let these be the causes of what the present task does from now on."""
    _PRESENT.set(causes)


@contextmanager
def of(causes: Sequence[Cause]) -> Iterator[None]:
    """Let these be the causes of what is done within."""
    before = _PRESENT.set(causes)
    try:
        yield
    finally:
        _PRESENT.reset(before)


def traceparents(customers: Sequence[Customer]) -> list[str]:
    """Return the trace that goes on with what is done now for each customer; empty: none.

    Of several causes it is the first kept one that is about this customer, else the first.
    """
    causes = _PRESENT.get()
    if len(causes) == 1:
        return [causes[0].traceparent] * len(customers)
    traced = {one.customer: one.traceparent for one in reversed(causes) if one.traceparent}
    kept = {one.customer: one.traceparent for one in reversed(causes) if trace.is_kept(one.traceparent)}
    traced |= kept
    return [traced.get(customer, "") for customer in customers]


def fields() -> dict[str, object]:
    """Return what a log line says of the causes: of several, lists with the first of them."""
    causes = _PRESENT.get()
    if len(causes) == 1:
        return dict(_named(causes[0]))
    found: dict[str, dict[str, None]] = {}
    for one in causes[:_SHOWN]:
        for name, value in _named(one).items():
            found.setdefault(f"{name}s", {})[value] = None
    lists: dict[str, object] = {name: list(values) for name, values in found.items()}
    return lists | ({"causes": len(causes)} if len(causes) > _SHOWN else {})


def _named(one: Cause) -> dict[str, str]:
    names = {name: str(value) for name, value in one.ids.items()}
    if one.traceparent:
        names["trace_id"] = one.traceparent[3:35]
    return names
