"""The load generator of streams: one gateway that keeps so many of them open, with a fresh id for every item.

    python -m bench.stream_load TOKEN

Commands: {"target", "customers": […], "seconds", "warm", "streams", "in_flight", "gather"}. Each stream keeps
"in_flight" items unanswered. "gather": false writes each item in a message of its own, true lets those that
may be sent at the same moment share one. What is sent while "warm" seconds run is not counted.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from bench.child import Answer, answer_lines
from bench.load import percentile, request
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc

_MOST = 100  # items a message, as the contract bounds it


class StreamLoad:
    """Streams to one target at a time; keeps a channel for each."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._stubs: dict[str, Any] = {}

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do a phase and say how it went."""
        target = command["target"]
        if target not in self._stubs:
            self._stubs[target] = holds_pb2_grpc.HoldServiceStub(grpc.aio.insecure_channel(target))
        for seconds in (command.get("warm", 0.0), command["seconds"]):
            cpu, begun = time.process_time(), time.perf_counter()
            streams = [
                _Stream(command["customers"], command["in_flight"], begun + seconds, gather=command["gather"])
                for _ in range(command["streams"])
            ]
            calls = [self._stubs[target].StreamAuthorize(metadata=self._metadata) for _ in streams]
            await asyncio.gather(*(s.run(call) for s, call in zip(streams, calls, strict=True)))
            took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        times = [each for stream in streams for each in stream.seconds]
        refused: dict[str, int] = {}
        for code in (code for stream in streams for code in stream.refused):
            refused[code] = refused.get(code, 0) + 1
        return {
            "items": len(times),
            "refused": refused,
            "per_s": round(len(times) / took, 1),
            "p50_ms": percentile(times, 50),
            "p99_ms": percentile(times, 99),
            "load_cpu_us": round(1e6 * cpu / max(1, len(times)), 1),
        }


class _Stream:
    """One stream, until its time is over and all of it is answered."""

    def __init__(self, customers: Sequence[str], in_flight: int, until: float, *, gather: bool) -> None:
        self._customers, self._until, self._gather = customers, until, gather
        self._free, self._more = in_flight, asyncio.Event()
        self._sent: dict[str, float] = {}
        self.seconds: list[float] = []
        self.refused: list[str] = []

    async def run(self, call: Any) -> None:
        """Write and read side by side."""
        await asyncio.gather(self._write(call), self._read(call))

    async def _write(self, call: Any) -> None:
        while time.perf_counter() < self._until:
            if not self._free:
                self._more.clear()
                await self._more.wait()
            many = min(self._free, _MOST) if self._gather else 1
            self._free -= many
            wishes = [request(random.choice(self._customers)) for _ in range(many)]
            now = time.perf_counter()
            self._sent |= {wish.hold_id: now for wish in wishes}
            items = [holds_pb2.AuthorizeItem(authorize=wish) for wish in wishes]
            await call.write(holds_pb2.StreamAuthorizeRequest(items=items))
        await call.done_writing()

    async def _read(self, call: Any) -> None:
        while (said := await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]  # left out
            now = time.perf_counter()
            for answer in said.answers:
                if answer.HasField("error"):
                    self.refused.append(f"{answer.error.code}: {answer.error.message}")
                # An echo answers in order, and under no id that was asked.
                id_ = answer.hold_id if answer.hold_id in self._sent else next(iter(self._sent))
                self.seconds.append(now - self._sent.pop(id_))
            self._free += len(said.answers)
            self._more.set()


async def _prepare() -> Answer:
    return StreamLoad(sys.argv[1]).answer


if __name__ == "__main__":
    answer_lines(_prepare)
