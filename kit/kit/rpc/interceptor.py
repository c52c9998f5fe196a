"""What the interceptors share: wrap each method once, not at every call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import grpc
import grpc.aio

# One call from its request to its end. A unary one returns its reply; a stream writes its replies to the
# context (kit.rpc.streams, kit.rpc.items) and returns None, so that an interceptor sees both as one thing to
# await.
Behaviour = Callable[[Any, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[Any]]


class Interceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps unary methods, and those of ours that answer with a stream, with `wrap`.

    A method of ours that takes a stream is wrapped by those alone that guard its opening (`at_open`); what
    the others do for a call, kit.rpc.items does for each of its items. The streams of health and reflection
    pass unwrapped.
    """

    at_open: ClassVar[bool] = True

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return what runs in place of `behaviour` for the method named "/package.Service/Method"."""
        raise AssertionError("each interceptor has a wrap of its own")

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the wrapped handler; the same one as long as the inner one is the same."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        if handler.unary_unary is not None:
            behaviour, build = handler.unary_unary, grpc.unary_unary_rpc_method_handler
        elif handler.unary_stream is not None and method.startswith("/langganan."):
            behaviour, build = handler.unary_stream, grpc.unary_stream_rpc_method_handler
        elif handler.stream_stream is not None and self.at_open and method.startswith("/langganan."):
            behaviour, build = handler.stream_stream, grpc.stream_stream_rpc_method_handler
        else:
            return handler
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = build(
            self.wrap(method, behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = (handler, wrapped)
        return wrapped
