"""What the interceptors share: wrap each unary method once, not at every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


class UnaryInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps unary methods with `wrap`; streams (health, reflection) pass unwrapped.

    The server refuses to start with a streaming method of ours, so nothing of ours passes unwrapped.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return what runs in place of `behaviour` for the method named "/package.Service/Method"."""
        raise AssertionError("each interceptor has a wrap of its own")

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the wrapped handler; the same one as long as the inner one is the same."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = grpc.unary_unary_rpc_method_handler(
            self.wrap(method, handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = (handler, wrapped)
        return wrapped
