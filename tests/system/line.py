"""A till's connection to the credit service: it sends in many ways, and in the end every call is answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from langganan.credit.v1 import accounts_pb2_grpc, holds_pb2_grpc, payments_pb2_grpc

# What a till answers by asking again with the same id; all else is final.
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,  # by a server on its way out
}
PATIENCE = 90.0  # seconds until a till gives up, which no test survives
TRY = 5.0  # seconds for one try
HASTE = 0.2  # seconds within which a hasty till gives up or hangs up: mostly before the answer
CHANNEL = [
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each till
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class Line:
    """A connection of its own; `dice` choose how a request is sent, `seen` counts what happened to calls."""

    def __init__(self, target: str, token: str, dice: random.Random, seen: Counter[str]) -> None:
        self._dice, self._seen = dice, seen
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channel = grpc.aio.insecure_channel(target, options=CHANNEL)
        self._stubs = (
            accounts_pb2_grpc.AccountServiceStub(self._channel),
            holds_pb2_grpc.HoldServiceStub(self._channel),
            payments_pb2_grpc.PaymentServiceStub(self._channel),
        )

    async def close(self) -> None:
        """Hang up for good."""
        await self._channel.close(None)

    async def send(self, method: str, request: Message, other: Line) -> list[Any]:
        """Send a request, in a way that the dice choose, until it is answered; return all answers.

        Where two tills send it at once, the second sends it on the `other` line.
        """

        async def twice(method: str, request: Message) -> list[Any]:
            return await asyncio.gather(*(each.answered(method, request) for each in (self, other)))

        ways: list[Callable[[str, Message], Any]] = [self._once, twice, self._hang_up, self._expire]
        way = self._dice.choices(ways, weights=(40, 20, 20, 20))[0]
        self._seen[way.__name__.strip("_")] += 1
        replies: list[Any] = await way(method, request)
        return replies

    async def _once(self, method: str, request: Message) -> list[Any]:
        return [await self.answered(method, request)]

    async def _hang_up(self, method: str, request: Message) -> list[Any]:
        """Cancel the call before, while or after it is done, and ask again."""
        call = self._call(method, request, TRY)
        waiting = asyncio.ensure_future(call.code())
        await asyncio.wait([waiting], timeout=self._in_haste())
        call.cancel()
        status = await waiting
        self._seen[status.name] += 1
        in_time = [await call] if status is grpc.StatusCode.OK else []
        return [*in_time, await self.answered(method, request)]

    async def _expire(self, method: str, request: Message) -> list[Any]:
        """Wait less long than it takes, as a till whose deadline is over, and ask again."""
        replies = []
        try:
            replies.append(await self._call(method, request, self._in_haste()))
        except grpc.aio.AioRpcError as error:
            self._may_be_asked_again(error)
        return [*replies, await self.answered(method, request)]

    async def answered(self, method: str, request: Message) -> Any:
        """Send a request under the same id until it is answered; raise what is final."""
        wait = 0.01
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self._call(method, request, TRY)
                except grpc.aio.AioRpcError as error:
                    self._may_be_asked_again(error)
                await asyncio.sleep(self._dice.uniform(0, wait))  # as every client must
                wait = min(0.5, wait * 2)

    def _call(self, method: str, request: Message, seconds: float) -> Any:
        stub = next(stub for stub in self._stubs if hasattr(stub, method))
        return getattr(stub, method)(request, metadata=self._metadata, timeout=seconds)

    def _in_haste(self) -> float:
        return HASTE * self._dice.random() ** 2

    def _may_be_asked_again(self, error: grpc.aio.AioRpcError) -> None:
        """Note an error after which the same id may be asked for again; raise any other."""
        if error.code() not in AGAIN:
            raise error
        self._seen[error.code().name] += 1
