"""Spans by OpenTelemetry, sent over OTLP by a thread of its own. Loaded only where an endpoint is set.

Nothing here waits for the collector: what it does not take in time is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from kit.trace import Attributes, Kind

_EXPORT_S = 5
_CLOSE_S = 2
_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_LINKS_MAX = 64


class Otel:
    """The tracer of a process. Which traces are kept: OTEL_TRACES_SAMPLER, by default all."""

    def __init__(self, service: str, role: str, endpoint: str) -> None:
        resource = Resource.create(
            {"service.name": service, "service.namespace": "langganan", "langganan.role": role}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=_EXPORT_S
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("langganan")

    def begin(self, name: str, kind: Kind, parents: Sequence[str], attributes: Attributes) -> OtelSpan:
        """Begin a span; a trace that is kept comes before one that is not."""
        known = [_context(parent) for parent in dict.fromkeys(parents) if parent]
        known.sort(key=lambda one: not one.trace_flags.sampled)
        context = set_span_in_context(NonRecordingSpan(known[0])) if known else Context()
        links = [Link(one) for one in known[1:_LINKS_MAX] if one.trace_flags.sampled]
        span = self._tracer.start_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=dict(attributes),
            links=links,
            record_exception=False,  # its words may name somebody
            set_status_on_exception=False,
        )
        made = span.get_span_context()
        # OTEL_SDK_DISABLED makes spans that are none; the trace goes on without.
        return OtelSpan(
            span, _traceparent(made) if made.is_valid else _traceparent(known[0]) if known else ""
        )

    def close(self) -> None:
        """Send what is left; gives up when the collector does not answer."""
        # By itself it would try for as long as a pod has to end.
        ending = threading.Thread(target=self._provider.shutdown, name="otel-end", daemon=True)
        ending.start()
        ending.join(_CLOSE_S)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(_CLOSE_S)


class OtelSpan:
    """A span of OpenTelemetry as kit.trace knows it."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span, traceparent: str) -> None:
        self._span, self.traceparent = span, traceparent

    def end(self, error: str = "", attributes: Attributes | None = None) -> None:
        """End it."""
        if attributes:
            self._span.set_attributes(dict(attributes))
        if error:
            self._span.set_status(StatusCode.ERROR, error)
        self._span.end()


def _traceparent(of: SpanContext) -> str:
    return f"00-{of.trace_id:032x}-{of.span_id:016x}-{of.trace_flags:02x}"


def _context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))
