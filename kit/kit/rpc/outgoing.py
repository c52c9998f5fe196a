"""Tells the service that is called for which request, and in which trace, it is asked.

What is asked for several at once (the contacts of a batch of messages) goes on in one of their traces, one
that is kept if there is any; its span is linked to the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc.aio

from kit import cause, trace
from kit.rpc.calls import REQUEST_ID


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        asked, span = _traced(details)
        call = await continuation(asked, request)
        if span is not None:
            try:
                span.end(*_said(await call.code()))
            except asyncio.CancelledError:
                span.end("CANCELLED")
                raise
        return call


class _Stream(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    """The same for streams of answers: a channel takes one kind of call of each interceptor."""

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        asked, span = _traced(details)
        call = await continuation(asked, request)
        if span is not None:
            call.add_done_callback(_ending(span))
        return call


def outgoing() -> Sequence[Any]:
    """The interceptors of a channel to another service."""
    return (_Unary(), _Stream())


def _traced(details: Any) -> tuple[Any, trace.Span | None]:
    causes = cause.present()
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    service, _, short = method[1:].rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": short}
    parents = [one.traceparent for one in causes if one.traceparent]
    span = trace.begin(method[1:], "client", parents, attributes)
    pairs = [(trace.METADATA, span.traceparent if span else trace.kept_first(parents))]
    if len(causes) == 1:
        pairs.append((REQUEST_ID, str(causes[0].ids.get("request_id", ""))))
    told = [(name, value) for name, value in pairs if value]
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), *told)), span


def _said(code: grpc.StatusCode) -> tuple[str, trace.Attributes]:
    error = "" if code is grpc.StatusCode.OK else code.name
    return error, {"rpc.response.status_code": code.name}


def _ending(span: trace.Span) -> Callable[[Any], None]:
    return lambda _: span.end()
