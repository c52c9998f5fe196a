"""What every measure gets: the running stack, its accounts and cores, and the figures so far."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.type.money_pb2 import Money

from bench.machine import Cores, pin
from kit.ids import new_customer_id
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc
from local.part import Part, free_port
from local.services import command, environment
from local.settings import ROOT
from local.stack import Stack

MERCHANT = "bench"
ACCOUNTS = 1_000
LIMIT = 10**15  # rupiah: nothing declines
_OPENED_AT_ONCE = 32
# Holds of one phase are still pending in the next: none expires meanwhile.
OVERRIDES = {"CREDIT_HOLD_TTL_S": "86400"}


@dataclass
class Bench:
    """A run. `quick`: the short form; `so_far`: the figures of the measures before, by name."""

    stack: Stack
    cores: Cores
    quick: bool
    token: str
    customers: Sequence[str]
    so_far: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def credit(self) -> str:
        """Where the credit service listens; it runs on the server's core."""
        return self.stack.grpc["credit"]

    @property
    def database(self) -> str:
        """The address of credit's database, for its own role."""
        return self.stack.database_urls["credit"]

    def pids(self, *names: str) -> dict[str, int]:
        """The process ids of parts: "credit" (answers calls), "credit-work", "postgres", "kafka"."""
        found = {name: self.stack.parts[name].pid for name in names}
        return {name: pid for name, pid in found.items() if pid is not None}

    @asynccontextmanager
    async def another(self, name: str, **settings: str) -> AsyncIterator[str]:
        """Run one more process that answers calls, on the server's core, with other settings; its target."""
        port, http = free_port(), free_port()
        own = {f"CREDIT_{key.upper()}": value for key, value in settings.items()}
        own |= OVERRIDES | {"CREDIT_GRPC_PORT": str(port), "CREDIT_HTTP_PORT": str(http)}
        stack = self.stack
        env = environment("credit", stack.settings, stack.around) | own
        log = stack.home / "logs" / f"{name}.log"
        part = Part(name, command("credit", "serve"), log=log, ports=[port, http], env=env, cwd=ROOT)
        part.start()
        try:
            await answers(f"127.0.0.1:{port}", stack.settings.start_seconds)
            pid = part.pid
            assert pid is not None
            pin(pid, self.cores.server)
            yield f"127.0.0.1:{port}"
        finally:
            await asyncio.to_thread(part.stop)


async def answers(target: str, seconds: float) -> None:
    """Return once something answers there; raise TimeoutError."""
    async with grpc.aio.insecure_channel(target) as channel:
        await asyncio.wait_for(channel.channel_ready(), seconds)


@asynccontextmanager
async def setting(stack: Stack, *, quick: bool) -> AsyncIterator[Bench]:
    """Pin the service of a running stack and open the accounts."""
    cores = Cores.here()
    bench = Bench(stack, cores, quick, stack.token(merchant=MERCHANT), [])
    for pid in bench.pids("credit").values():
        pin(pid, cores.server)
    bench.customers = await open_accounts(bench.credit, bench.token, ACCOUNTS)
    yield bench


async def open_accounts(target: str, token: str, many: int) -> list[str]:
    """Open accounts with a limit that nothing reaches; return their customers."""
    customers = [new_customer_id() for _ in range(many)]
    turns = asyncio.Semaphore(_OPENED_AT_ONCE)
    metadata: Sequence[tuple[str, str]] = (("authorization", f"Bearer {token}"),)
    async with grpc.aio.insecure_channel(target) as channel:
        accounts = accounts_pb2_grpc.AccountServiceStub(channel)

        async def open_one(customer: str) -> None:
            async with turns:
                await accounts.OpenAccount(
                    accounts_pb2.OpenAccountRequest(
                        request_id=str(uuid.uuid4()),
                        customer_id=customer,
                        currency_code="IDR",
                        time_zone="Asia/Jakarta",
                        limit=Money(currency_code="IDR", units=LIMIT),
                    ),
                    metadata=metadata,
                    timeout=30,
                )

        await asyncio.gather(*(open_one(customer) for customer in customers))
    return customers


def median_of(rounds: Sequence[Mapping[str, float]], name: str) -> float:
    """The median of a figure over rounds."""
    ordered = sorted(each[name] for each in rounds)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
