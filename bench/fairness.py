"""How long a quiet merchant waits while another sends a hundred times as much.

The quiet merchant authorises 3 holds a second, the noisy one, from a process of its own, 300. Phases with
and without the noisy merchant alternate in one run, so that what else the machine does touches both; the
figure is the ratio of the quiet merchant's p99, and above its limit `make bench` exits with 1. The order of
service itself is asserted by tests/kit/test_rpc_fairness.py and tests/kit/test_batch.py, where no machine's
mood decides.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

import grpc.aio

from bench.child import Answer, Child, answer_lines
from bench.load import percentile, request
from bench.setting import Bench, open_accounts
from langganan.credit.v1 import holds_pb2_grpc

NAME = "fairness"
LIMIT = 3.0  # the quiet merchant's p99 with the noisy one, over that without
QUIET_A_SECOND, TIMES = 3, 100
ROUNDS = 3
CUSTOMERS = 200


class Merchant:
    """One merchant's tills: they send at their pace, whether answers come or not."""

    def __init__(self, target: str, token: str) -> None:
        self._target, self._token = target, token
        self._channel = grpc.aio.insecure_channel(target)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._holds = holds_pb2_grpc.HoldServiceStub(self._channel)
        self._customers: list[str] = []
        self.seconds: list[float] = []
        self.refused = 0

    async def open(self) -> None:
        """Open the accounts."""
        self._customers = await open_accounts(self._target, self._token, CUSTOMERS)

    async def send(self, a_second: float, seconds: float) -> None:
        """Send so many a second for so long; answers are waited for at the end."""
        begun, calls, number = time.monotonic(), set[asyncio.Task[None]](), 0
        while (now := time.monotonic()) < begun + seconds:
            while number < (now - begun) * a_second:
                number += 1
                calls.add(asyncio.create_task(self._authorize()))
            calls = {call for call in calls if not call.done()}
            await asyncio.sleep(max(0.0, begun + number / a_second - time.monotonic()))
        await asyncio.gather(*calls)

    async def _authorize(self) -> None:
        wish = request(random.choice(self._customers))
        started = time.perf_counter()
        try:
            await self._holds.Authorize(wish, metadata=self._metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            self.refused += 1
            return
        self.seconds.append(time.perf_counter() - started)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close(None)


async def measure(bench: Bench) -> dict[str, Any]:
    """Let both merchants send; the figures, in milliseconds."""
    seconds = 8 if bench.quick else 15
    quiet = Merchant(bench.credit, bench.stack.token(merchant="quiet"))
    await quiet.open()
    command = (bench.credit, bench.stack.token(merchant="noisy"))
    noisy = await Child.start("bench.fairness", *command, core=bench.cores.load)
    alone: list[float] = []
    beside: list[float] = []
    said: dict[str, Any] = {}
    await noisy.ask(seconds=0)
    for _ in range(ROUNDS):
        await quiet.send(QUIET_A_SECOND, seconds)
        alone += quiet.seconds
        quiet.seconds.clear()
        said, _ = await asyncio.gather(noisy.ask(seconds=seconds), quiet.send(QUIET_A_SECOND, seconds))
        beside += quiet.seconds
        quiet.seconds.clear()
    await noisy.stop()
    await quiet.close()
    ratio = percentile(beside, 99) / percentile(alone, 99)
    return {
        "ratio_fairness_p99": round(ratio, 2),
        "alone": {"p50_ms": percentile(alone, 50), "p99_ms": percentile(alone, 99)},
        "beside": {"p50_ms": percentile(beside, 50), "p99_ms": percentile(beside, 99)},
        "quiet_refused": quiet.refused,
        "noisy_per_s": round(said["answered"] / (ROUNDS * seconds), 1),
        "noisy_refused": said["refused"],
    }


def is_fair(figures: Mapping[str, Any]) -> bool:
    """Whether the quiet merchant waits no longer than it should; nothing measured is no complaint."""
    return figures.get("ratio_fairness_p99", 0.0) <= LIMIT and not figures.get("quiet_refused")


async def _prepare() -> Answer:
    """The noisy merchant's process: opens its accounts, and sends a phase for each command."""
    noisy = Merchant(*sys.argv[1:])
    await noisy.open()

    async def answer(command: dict[str, Any]) -> dict[str, Any]:
        await noisy.send(QUIET_A_SECOND * TIMES, command["seconds"])
        return {"answered": len(noisy.seconds), "refused": noisy.refused}

    return answer


if __name__ == "__main__":
    answer_lines(_prepare)
