"""A run of the demo in which everything dies now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import grpc
from rich.console import Console

from local.chaos.killer import POLL_SECONDS, Killer
from local.demo.__main__ import STAGES, Run
from local.demo.gateway import AGAIN, Gateway, Reply, Request
from local.demo.script import DAY
from local.settings import LocalSettings
from local.stack import Stack

SETTLE_SECONDS = 300.0
# What died while it was sending is tried again soon, so that a run takes minutes.
IMPATIENT = {
    "NOTIFY_LEASE_S": "6",
    "NOTIFY_SEND_TIMEOUT_S": "2",
    "NOTIFY_RETRY_S": "0.5",
    "NOTIFY_RETRY_MAX_S": "2",
}


class ChaosStack(Stack):
    """A stack of processes that serve or work; it has not settled while somebody is still to die."""

    killer: Killer

    async def settled(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until whoever was to die by now is back, then as any stack."""
        while self.killer.is_due:  # noqa: ASYNC110  it counts baskets, which nobody announces
            await asyncio.sleep(POLL_SECONDS)
        await super().settled(seconds)


class StubbornGateway(Gateway):
    """Tills that repeat a call under the same ids until it is answered, and wait for who is to die."""

    def __init__(self, addresses: Mapping[str, str], token: str, killer: Killer) -> None:
        super().__init__(addresses, token)
        self._killer = killer

    async def call(
        self, name: str, method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply], request: Request
    ) -> Reply:
        """Send a request until it is answered; a final error is raised as grpc.aio.AioRpcError."""
        await self._killer.at_the_gate()
        while True:
            try:
                return await super().call(name, method, request)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    raise


class ChaosRun(Run):
    """The first `days` days of a sample of `wanted` baskets, with `kills` kills among them."""

    def __init__(self, wanted: int, days: int, seed: int, kills: int, console: Console) -> None:
        super().__init__(wanted, seed, STAGES[4], console, days)
        self._kills, self._seed = kills, seed

    async def play(self, settings: LocalSettings) -> dict[str, Any]:
        """Play while the killer is at work, compare, report. Adds `kills` by victim to the demo's report."""
        started = time.monotonic()
        begins = datetime.fromtimestamp(min(self._plan) * DAY, UTC)
        stack = ChaosStack(settings, start=begins, apart=True, overrides=IMPATIENT, say=self._say)
        stack.killer = Killer(stack, self._kills, self._seed, self._share, self._say)
        async with stack:
            gateway = StubbornGateway(stack.grpc, stack.token(), stack.killer)
            killing = asyncio.create_task(stack.killer.run())
            work = asyncio.create_task(self._work(stack, gateway, started))
            try:
                await asyncio.wait([work, killing], return_when=asyncio.FIRST_EXCEPTION)
                for task in (killing, work):
                    if task.done():
                        task.result()
                report = await work
            finally:
                for task in (work, killing):
                    task.cancel()
                await asyncio.gather(work, killing, return_exceptions=True)
                await gateway.close()
        return {**report, "kills": dict(stack.killer.killed)}

    def _share(self) -> float:
        return self._progress.baskets / max(1, self._progress.baskets_in_all)

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{self._progress.baskets:5} {text}[/]")
