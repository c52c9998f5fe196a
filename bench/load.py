"""The load generator: the tills of one gateway, in a process of its own, with a fresh id for every request.

    python -m bench.load TOKEN

Commands: {"target", "customers": […], "seconds", "warm", "in_flight"} keeps so many calls under way; with
"rate" in place of "in_flight" it sends so many a second, whether answers come or not, and counts each call's
time from the instant at which it was to be sent. What is sent while "warm" seconds run is not counted.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from google.type.money_pb2 import Money

from bench.child import Answer, answer_lines
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from langganan.types.v1 import origin_pb2

ORIGIN = origin_pb2.Origin(
    store_id="toko-1", register_id="kasir-1", staff_ref="staf-1", mode=origin_pb2.MODE_ONLINE
)
AMOUNT = 1_000  # rupiah
_TIMEOUT_S = 10.0


def request(customer: str) -> holds_pb2.AuthorizeRequest:
    """A fresh wish of a till."""
    return holds_pb2.AuthorizeRequest(
        hold_id=str(uuid.uuid4()),
        customer_id=customer,
        amount=Money(currency_code="IDR", units=AMOUNT),
        origin=ORIGIN,
        recognised_by=origin_pb2.RECOGNISED_BY_CARD_SCAN,
    )


class Load:
    """Calls to one target at a time; keeps a channel for each."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._stubs: dict[str, Any] = {}
        self._seconds: list[float] = []
        self._refused: dict[str, int] = {}

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do a phase and say how it went."""
        target = command["target"]
        if target not in self._stubs:
            self._stubs[target] = holds_pb2_grpc.HoldServiceStub(grpc.aio.insecure_channel(target))
        stub, customers = self._stubs[target], command["customers"]
        for seconds in (command.get("warm", 0.0), command["seconds"]):
            self._seconds, self._refused = [], {}
            cpu, begun = time.process_time(), time.perf_counter()
            if "rate" in command:
                await self._open(stub, customers, command["rate"], seconds)
            else:
                await self._closed(stub, customers, command["in_flight"], begun + seconds)
            took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        # Who was refused waits for ever, as far as percentiles go.
        waited = self._seconds + [_TIMEOUT_S] * sum(self._refused.values())
        return {
            "calls": len(self._seconds),
            "refused": self._refused,
            "per_s": round(len(self._seconds) / took, 1),
            "p50_ms": percentile(waited, 50),
            "p99_ms": percentile(waited, 99),
            "load_cpu_us": round(1e6 * cpu / max(1, len(self._seconds)), 1),
        }

    async def _closed(self, stub: Any, customers: Sequence[str], in_flight: int, until: float) -> None:
        async def till() -> None:
            while (begun := time.perf_counter()) < until:
                await self._call(stub, random.choice(customers), begun)

        await asyncio.gather(*(till() for _ in range(in_flight)))

    async def _open(self, stub: Any, customers: Sequence[str], rate: float, seconds: float) -> None:
        begun, calls = time.perf_counter(), set[asyncio.Task[None]]()
        number, last = 0, int(rate * seconds)
        while number < last:
            now = time.perf_counter()
            while number < last and (due := begun + number / rate) <= now:
                call = asyncio.create_task(self._call(stub, random.choice(customers), due))
                calls.add(call)
                call.add_done_callback(calls.discard)
                number += 1
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        await asyncio.gather(*calls)

    async def _call(self, stub: Any, customer: str, due: float) -> None:
        try:
            await stub.Authorize(request(customer), metadata=self._metadata, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            self._refused[code] = self._refused.get(code, 0) + 1
            return
        self._seconds.append(time.perf_counter() - due)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The percentile of measured seconds, in milliseconds; 0 without any."""
    if not seconds:
        return 0.0
    ordered = sorted(seconds)
    return round(1_000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


async def _prepare() -> Answer:
    return Load(sys.argv[1]).answer


if __name__ == "__main__":
    answer_lines(_prepare)
