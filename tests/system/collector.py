"""An OTLP collector in this process: what services send is kept for the test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Seen:
    """A span as it came: ids in hex, `what` the service and its name."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    failed: bool

    @property
    def what(self) -> str:
        """Which service did what."""
        return f"{self.service}: {self.name.rpartition('.')[2]}"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans; `raw` is everything as it came on the wire."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.raw: list[bytes] = []
        self.endpoint = ""

    async def Export(self, request: Any, context: Any) -> Any:
        """Keep them."""
        self.raw.append(request.SerializeToString())
        for resource in request.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_seen(named["service.name"], span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def of(self, trace: str) -> dict[str, Seen]:
        """The spans of a trace, by what they are; the last where one came again."""
        return {span.what: span for span in self.spans if span.trace == trace}


def _seen(service: str, span: Span) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        failed=span.status.code == 2,
    )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector until left."""
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
