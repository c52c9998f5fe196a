"""Traces: the W3C traceparent that is handed on, and spans where an OTLP endpoint is set.

A traceparent passes from call to outbox to event to message whether or not this process makes spans, so that
a service without them cuts no trace. OpenTelemetry itself is in kit.otel, which is loaded for an endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

METADATA = "traceparent"
Kind = Literal["server", "client", "consumer", "producer"]
Attributes = Mapping[str, str | int]

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


# The last digit of flags whose lowest bit, "sampled", is set.
_ODD = frozenset("13579bdf")


class Span(Protocol):
    """One thing that took time."""

    @property
    def traceparent(self) -> str:
        """What the causes of what follows from it say."""

    def end(self, error: str = "", attributes: Attributes | None = None) -> None:
        """It is done, or has failed with this word."""


class Tracer(Protocol):
    """What makes spans."""

    def begin(self, name: str, kind: Kind, parents: Sequence[str], attributes: Attributes) -> Span:
        """Begin a span of the first parent's trace, linked to those of the others."""

    def close(self) -> None:
        """Send what is left, within a few seconds."""


_tracer: Tracer | None = None


def start(service: str, role: str, endpoint: str) -> None:
    """Make spans from now on and send them to `endpoint`; empty: none are made."""
    global _tracer
    if endpoint:
        from kit.otel import Otel

        _tracer = Otel(service, role, endpoint)


def stop() -> None:
    """Make no more spans; blocks for a few seconds at most."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.close()


def valid(text: str | None) -> str:
    """Return a traceparent in the form that all know; empty for what is none."""
    found = _TRACEPARENT.fullmatch(text) if text else None
    return "00-{}-{}-{}".format(*found.groups()[:3]) if found else ""


def is_kept(traceparent: str) -> bool:
    """Whether the spans of a trace are kept (sampled); empty: no."""
    return traceparent[-1:] in _ODD


def kept_first(traceparents: Sequence[str]) -> str:
    """Return the first that is kept (sampled), else the first; empty for none."""
    return next(filter(is_kept, traceparents), traceparents[0] if traceparents else "")


def begin(name: str, kind: Kind, parents: Sequence[str], attributes: Attributes) -> Span | None:
    """Begin a span; None where none are made. `attributes` never name a person."""
    return None if _tracer is None else _tracer.begin(name, kind, parents, attributes)
