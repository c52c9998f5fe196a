"""How long a quiet merchant waits while another sends a hundred times as much.

    python -m bench.fairness

One credit process on this machine, its Postgres and broker real. The quiet merchant authorises 3 holds a
second, the noisy one, from a process of its own, 300. Phases with and without the noisy merchant alternate
in one run, so that what else the machine does touches both; the figure is the ratio of the quiet merchant's
p99. Exits with 1 above the limit. The order of service itself is asserted by tests/kit/test_rpc_fairness.py
and tests/kit/test_batch.py, where no machine's mood decides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path

import grpc.aio
from google.type.money_pb2 import Money

from kit import ids
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc, holds_pb2, holds_pb2_grpc
from langganan.types.v1 import origin_pb2
from local.settings import LocalSettings
from local.stack import Stack

LIMIT = 3.0  # the quiet merchant's p99 with the noisy one, over that without
QUIET_A_SECOND, TIMES = 3, 100
PHASE_S, ROUNDS = 15, 3
CUSTOMERS = 200
BASE_PORT = 7500  # beside `make up`
ORIGIN = origin_pb2.Origin(store_id="S1", register_id="R1")


def rupiah(amount: int) -> Money:
    """Rupiah as Money."""
    return Money(currency_code="IDR", units=amount)


class Merchant:
    """One merchant's tills: they send at their pace, whether answers come or not."""

    def __init__(self, target: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._accounts = accounts_pb2_grpc.AccountServiceStub(self._channel)
        self._holds = holds_pb2_grpc.HoldServiceStub(self._channel)
        self.customers = [ids.new_customer_id() for _ in range(CUSTOMERS)]
        self.seconds: list[float] = []
        self.refused = 0

    async def open(self) -> None:
        """Open the accounts."""
        for customer in self.customers:
            request = accounts_pb2.OpenAccountRequest(
                request_id=str(uuid.uuid4()),
                customer_id=customer,
                currency_code="IDR",
                time_zone="Asia/Jakarta",
                limit=rupiah(10**12),
            )
            await self._accounts.OpenAccount(request, metadata=self._metadata, timeout=30)

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
        request = holds_pb2.AuthorizeRequest(
            hold_id=str(uuid.uuid4()),
            customer_id=random.choice(self.customers),
            amount=rupiah(1_000),
            origin=ORIGIN,
        )
        started = time.perf_counter()
        try:
            await self._holds.Authorize(request, metadata=self._metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            self.refused += 1
            return
        self.seconds.append(time.perf_counter() - started)

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close(None)


async def flood(target: str, token: str) -> None:
    """The noisy merchant's process: opens, says so, and sends a phase for each line that it is given."""
    noisy = Merchant(target, token)
    await noisy.open()
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        await noisy.send(QUIET_A_SECOND * TIMES, PHASE_S)
        print(json.dumps({"answered": len(noisy.seconds), "refused": noisy.refused}), flush=True)
    await noisy.close()


async def measure(home: Path) -> dict[str, float]:
    """Run the stack and both merchants; return the figures, in milliseconds."""
    async with Stack(LocalSettings(home=home, base_port=BASE_PORT), services=("credit",)) as stack:
        target = stack.grpc["credit"]
        quiet = Merchant(target, stack.token(merchant="quiet"))
        await quiet.open()
        # Nicer than the service: the tills are other machines in life.
        command = ["nice", "-n", "5", sys.executable, "-m", "bench.fairness", "--flood", target]
        noisy = await asyncio.create_subprocess_exec(
            *command,
            stack.token(merchant="noisy"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert noisy.stdin is not None
        assert noisy.stdout is not None
        await noisy.stdout.readline()
        alone: list[float] = []
        beside: list[float] = []
        said = b"{}"
        for _ in range(ROUNDS):
            await quiet.send(QUIET_A_SECOND, PHASE_S)
            alone += quiet.seconds
            quiet.seconds.clear()
            noisy.stdin.write(b"\n")
            await asyncio.gather(noisy.stdin.drain(), quiet.send(QUIET_A_SECOND, PHASE_S))
            beside += quiet.seconds
            quiet.seconds.clear()
            said = await noisy.stdout.readline()
        noisy.stdin.close()
        await noisy.wait()
        await quiet.close()
    sent = json.loads(said)
    return {
        "quiet_p50_ms": _percentile(alone, 50),
        "quiet_p99_ms": _percentile(alone, 99),
        "quiet_p50_beside_noisy_ms": _percentile(beside, 50),
        "quiet_p99_beside_noisy_ms": _percentile(beside, 99),
        "quiet_refused": quiet.refused,
        "noisy_answered_a_second": round(sent["answered"] / (ROUNDS * PHASE_S), 1),
        "noisy_refused": sent["refused"],
        "ratio_p99": round(_percentile(beside, 99) / _percentile(alone, 99), 2),
        "limit": LIMIT,
    }


def _percentile(seconds: list[float], percent: int) -> float:
    ordered = sorted(seconds)
    return round(1_000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


def main() -> int:
    """Measure and print; 1 when the quiet merchant waits too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness")
    parser.add_argument("--flood", nargs=2, metavar=("TARGET", "TOKEN"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        asyncio.run(flood(*arguments.flood))
        return 0
    with tempfile.TemporaryDirectory(prefix="langganan-bench-") as home:
        figures = asyncio.run(measure(Path(home)))
    print(json.dumps(figures, indent=2))
    return 0 if figures["ratio_p99"] <= LIMIT and not figures["quiet_refused"] else 1


if __name__ == "__main__":
    sys.exit(main())
