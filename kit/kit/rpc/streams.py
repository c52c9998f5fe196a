"""Sends a stream at the pace of who reads it, and ends it when nobody does.

A method that streams is an async generator. Nothing is fetched ahead: the next reply is asked for once
gRPC's flow control has taken the one before, so a slow reader costs one reply and not the whole list. One
that reads nothing for `write_s` seconds is ended, for it holds a place among the calls under way.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing
from typing import Any

import grpc

from kit.errors import ResourceExhausted
from kit.rpc.interceptor import Behaviour, Interceptor


class SlowReader(ResourceExhausted):
    """The client did not read its stream for `seconds`."""

    reason = "SLOW_READER"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"nothing of this stream was read for {seconds:g} s; read it faster, or ask for less"
        )


class StreamsInterceptor(Interceptor):
    """The innermost one: makes an async generator one thing to await, as the others know it."""

    at_open = False

    def __init__(self, write_s: float) -> None:
        super().__init__()
        self._write_s = write_s

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, its replies written one after another where it yields them."""
        if not inspect.isasyncgenfunction(behaviour):
            return behaviour

        async def written(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            # Closed at once when the reader goes, so that a connection held by it is given back.
            async with aclosing(behaviour(request, context)) as replies:
                async for reply in replies:
                    await self._write(context, reply)

        return written

    async def _write(self, context: grpc.aio.ServicerContext[Any, Any], reply: Any) -> None:
        try:
            async with asyncio.timeout(self._write_s):
                await context.write(reply)
        except TimeoutError:
            raise SlowReader(self._write_s) from None
        except grpc.aio.InternalError:  # the reader has gone, or its deadline has passed
            raise asyncio.CancelledError from None
