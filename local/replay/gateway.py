"""The line of a gateway to a stack that may be rolled, scaled or killed: retries as docs/gateway.md says."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import uniform

import grpc

from kit.rpc.line import channel_options
from local.demo.gateway import AGAIN, Gateway, Reply, Request

PATIENCE = 30.0  # seconds after which a call that was not answered counts as failed
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between repetitions under the same id
GIVE_UP = 900.0  # seconds


@dataclass(frozen=True)
class Failure:
    """A call that failed for good: refused, or not answered within the patience."""

    method: str
    code: str
    details: str
    seconds: float


class PatientGateway(Gateway):
    """Repeats a call under the same id until it is answered; notes which were not answered in time."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        token: str,
        *,
        patience: float = PATIENCE,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        super().__init__(addresses, token, channel_options(), credentials)
        self._patience = patience
        self.failures: list[Failure] = []
        self.repeated: Counter[str] = Counter()  # by method and code
        self.longest: dict[str, float] = {}  # seconds until a call was answered, by method
        self.under_way = 0

    async def call(
        self, name: str, method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply], request: Request
    ) -> Reply:
        """Send a request until it is answered; raise grpc.aio.AioRpcError where it is refused."""
        answer = await self.ask(name, method, request, final=True)
        assert answer is not None
        return answer

    async def ask(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        *,
        final: bool = False,
    ) -> Reply | None:
        """The same; None where it is not found, unless that is `final`."""
        started, turn, late = time.monotonic(), 0, False
        self.under_way += 1
        try:
            while True:
                try:
                    # No deadline of ours: the service config has it, for all of its attempts together.
                    answer: Reply = await method(request, metadata=self._metadata)
                except grpc.aio.AioRpcError as error:
                    seconds = time.monotonic() - started
                    if error.code() == grpc.StatusCode.NOT_FOUND and not final:
                        return None
                    if error.code() not in AGAIN:
                        self._fail(name, error, seconds)
                        raise
                    if seconds > self._patience and not late:
                        late = True
                        self._fail(name, error, seconds)
                    if seconds > GIVE_UP:
                        raise
                    self.retries += 1
                    self.repeated[f"{name} {error.code().name}"] += 1
                    await asyncio.sleep(uniform(0.5, 1) * min(LONGEST_WAIT, FIRST_WAIT * 2**turn))
                    turn = min(turn + 1, 10)
                    continue
                seconds = time.monotonic() - started
                self.latency[name].append(seconds)
                self.longest[name] = max(seconds, self.longest.get(name, 0.0))
                return answer
        finally:
            self.under_way -= 1

    def _fail(self, name: str, error: grpc.aio.AioRpcError, seconds: float) -> None:
        self.failures.append(Failure(name, error.code().name, error.details() or "", round(seconds, 1)))
