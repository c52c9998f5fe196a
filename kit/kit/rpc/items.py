"""Streams that take items: each item is guarded, limited and measured as a call of its own.

The opening is guarded like a call (errors, deadline, token and scope), and so many streams may be open. What
a call would wait or be refused for, its item waits or is refused for: merchant's turn, rules, deadline. An
open stream without items holds no place of a call. What is wrong with an item is its answer, with the status
that a call would have ended with; only what is wrong with the stream ends the stream.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import grpc.aio

from kit import auth, metrics
from kit.auth import TokenExpired
from kit.errors import DomainError, ResourceExhausted, Unavailable
from kit.rpc.interceptor import Interceptor
from kit.rpc.item_stream import Guards, ItemStream, Method, Shape
from kit.rpc.metrics import CODES

Begin = TypeVar("Begin", bound=Callable[..., Any])


def takes_items(shape: Shape) -> Callable[[Begin], Any]:
    """Mark a servicer's method as one that takes a stream of items, in messages of this `shape`.

    It is no coroutine. It gets the request of one item, and the monotonic instant past which its work is not
    begun; it begins the work and returns (the future of what was decided, how that becomes the reply of a
    single call), or raises what is wrong with the item. `auth.caller()` is known throughout.
    """

    def mark(begin: Begin) -> Any:
        begin.shape = shape  # type: ignore[attr-defined]  # read by ItemsInterceptor
        return begin

    return mark


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be open, of one merchant and in all, and for how many seconds each."""

    merchant: int
    most: int
    age_s: float


class ItemsInterceptor(Interceptor):
    """The innermost one for methods that take a stream; others pass."""

    def __init__(self, guards: Guards, limits: Limits) -> None:
        super().__init__()
        self._guards, self._limits = guards, limits
        self._open: set[ItemStream] = set()
        self._open_of: Counter[str] = Counter()
        self._draining = False

    def drain(self) -> None:
        """Open no stream any more, and end those that are open once what they have begun is answered."""
        self._draining = True
        for stream in self._open:
            stream.finish(_draining())

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return what answers a stream of items in place of its servicer's method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.stream_stream is None:
            return handler
        shape: Shape | None = getattr(handler.stream_stream, "shape", None)
        if shape is None:
            return handler
        name = handler_call_details.method
        known = self._wrapped.get(name)
        if known is not None and known[0] is handler:
            return known[1]
        method = Method(
            name, shape, handler.stream_stream, handler.request_deserializer, handler.response_serializer
        )

        async def opened(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await self._serve(method, context)

        # Bytes in and out: what is no message is the answer of one item, and answers are encoded once.
        wrapped = grpc.stream_stream_rpc_method_handler(opened)
        self._wrapped[name] = (handler, wrapped)
        return wrapped

    async def _serve(self, method: Method, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        who = auth.caller()
        self._admit(who.merchant_id)
        stream = ItemStream(method, self._guards, context, who.merchant_id)
        self._open.add(stream)
        self._open_of[who.merchant_id] += 1
        labels = method.labels
        metrics.GRPC_STREAMS.labels(*labels).inc()
        code = grpc.StatusCode.OK
        try:
            await stream.run(self._ends(who))
        except DomainError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            raise
        finally:
            metrics.GRPC_STREAMS.labels(*labels).dec()
            metrics.GRPC_STREAMS_ENDED.labels(*labels, CODES[code]).inc()
            self._open.discard(stream)
            self._open_of[who.merchant_id] -= 1
            if not self._open_of[who.merchant_id]:
                del self._open_of[who.merchant_id]

    def _admit(self, merchant: str) -> None:
        if self._draining:
            raise _draining()
        limits = self._limits
        if len(self._open) >= limits.most or self._open_of[merchant] >= limits.merchant:
            raise ResourceExhausted(
                f"{limits.most} streams are open, or {limits.merchant} of this merchant; use those that are",
                reason="TOO_MANY_STREAMS",
            )

    def _ends(self, who: auth.Caller) -> Mapping[float, DomainError]:
        """Return after how many seconds a stream is to end, and with what."""
        aged = Unavailable(
            f"a stream is open for {self._limits.age_s:g} s; open another and ask again what has no answer",
            reason="STREAM_AGED",
        )
        # As gRPC spreads the age of connections: so that not all of a gateway's streams end at once.
        age_s = self._limits.age_s * random.uniform(0.9, 1.1)
        return {age_s: aged, who.until - time.time(): TokenExpired()}


def _draining() -> Unavailable:
    return Unavailable(
        "this process is about to end; open another stream and ask again what has no answer",
        reason="DRAINING",
    )
