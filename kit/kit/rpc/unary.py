"""What the interceptors share: wrap each method once, not at every call; an answer may be one or a stream."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


class UnaryInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps methods that take one request with `wrap`; streams of requests (reflection) pass unwrapped.

    The server refuses to start with a method of ours that takes a stream, so nothing of ours passes
    unwrapped. A stream of answers is written as it is made: a slow reader holds its method back.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return what runs in place of `behaviour` for the method named "/package.Service/Method"."""
        raise AssertionError("each interceptor has a wrap of its own")

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the wrapped handler; the same one as long as the inner one is the same."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        if handler.response_streaming:
            make, behaviour = grpc.unary_stream_rpc_method_handler, _written(handler.unary_stream)
        else:
            make, behaviour = grpc.unary_unary_rpc_method_handler, handler.unary_unary
        wrapped = make(
            self.wrap(method, behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = (handler, wrapped)
        return wrapped


def _written(behaviour: Callable[..., Any]) -> Behaviour:
    """Return a stream's behaviour as one that writes its answers, and so can be wrapped like any other."""
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour

    async def written(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        async with contextlib.aclosing(behaviour(request, context)) as answers:
            async for answer in answers:
                try:
                    await context.write(answer)
                except grpc.aio.InternalError:  # the reader has gone, or its deadline has passed
                    raise asyncio.CancelledError from None

    return written
