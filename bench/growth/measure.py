"""Authorize with a thousand, a hundred thousand and a million accounts, each shop in a database of its own.

All three lie in the same Postgres and are filled in bulk (`bench.growth.fill`); phases alternate between
them, so that what else the machine does touches all. Then the least is audited whole, which also proves that
what was filled and what was authorised meanwhile adds up.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.authorize import answered
from bench.child import Child
from bench.growth.fill import ENTRIES, fill
from bench.machine import Costs
from bench.setting import LIMIT, MERCHANT, Bench, median_of
from kit.ids import new_customer_id
from local.services import command, environment

NAME = "growth"
SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 5
_IN_FLIGHT = 64
_ASKED = 200_000  # customers that a phase picks from; it never comes to a fifth of them
_PHASE: dict[str, Any] = {"in_flight": _IN_FLIGHT, "seconds": 6.0, "warm": 1.5}


@dataclass(frozen=True)
class Shop:
    """A shop of one size, filled, and the service that answers for it."""

    name: str
    url: str
    target: str
    customers: list[str]
    filled_s: float


async def measure(bench: Bench) -> dict[str, Any]:
    """Fill, measure and drop the shops; calls a second by size, and the ratio of the largest to the least."""
    load = await Child.start("bench.load", bench.token, core=bench.cores.load)
    try:
        async with AsyncExitStack() as open_shops:
            shops = [await open_shops.enter_async_context(_shop(bench, many)) for many in SIZES]
            for shop in shops:
                await _phase(load, shop)  # what a shop uses every day is in memory
            rounds = [{shop.name: await _phase(load, shop) for shop in shops} for _ in range(ROUNDS)]
            costs = {shop.name: await _cost(bench, load, shop) for shop in shops}
            audit = await _audit(bench, shops[0])
    finally:
        await load.stop()
    figures = {
        shop.name: {
            "entries": len(shop.customers) * ENTRIES,
            "filled_s": shop.filled_s,
            **{
                each: median_of([found[shop.name] for found in rounds], each) for each in rounds[0][shop.name]
            },
            **costs[shop.name],
        }
        for shop in shops
    }
    least, largest = shops[0].name, shops[-1].name
    ratios = [{"ratio": found[largest]["per_s"] / found[least]["per_s"]} for found in rounds]
    return {"ratio_1m_1k": round(median_of(ratios, "ratio"), 3), **figures, "audit": audit}


@asynccontextmanager
async def _shop(bench: Bench, many: int) -> AsyncIterator[Shop]:
    name = f"accounts_{many}"
    role = urlsplit(bench.database)
    url = urlunsplit(role._replace(path=f"/{name}"))
    superuser = await asyncpg.connect(bench.stack.superuser_url)
    try:
        await superuser.execute(f'CREATE DATABASE {name} OWNER "{role.username}"')
        begun = time.perf_counter()
        await _run(bench, url, "migrate")
        customers = [new_customer_id() for _ in range(many)]
        await fill(url, MERCHANT, customers, LIMIT)
        await superuser.execute("CHECKPOINT")
        took = round(time.perf_counter() - begun, 1)
        async with bench.another(name, database_url=url) as target:
            yield Shop(name, url, target, customers, took)
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await superuser.close()


async def _phase(load: Child, shop: Shop) -> dict[str, float]:
    customers = random.sample(shop.customers, min(_ASKED, len(shop.customers)))
    found = answered(await load.ask(target=shop.target, customers=customers, **_PHASE))
    return {name: found[name] for name in ("per_s", "p50_ms", "p99_ms")}


async def _cost(bench: Bench, load: Child, shop: Shop) -> dict[str, float]:
    """What a call costs Postgres."""
    customers = random.sample(shop.customers, min(_ASKED, len(shop.customers)))
    begun = await Costs.begin(bench.pids("postgres"), bench.stack.superuser_url)
    said = answered(await load.ask(target=shop.target, customers=customers, **_PHASE | {"warm": 0.0}))
    return await begun.per_call(int(said["calls"]))


async def _audit(bench: Bench, shop: Shop) -> dict[str, float]:
    """Audit the whole shop, as a night does; raise RuntimeError where it finds a difference."""
    begun = time.perf_counter()
    await _run(bench, shop.url, "audit")
    took = time.perf_counter() - begun
    return {"accounts": len(shop.customers), "seconds": round(took, 1)}


async def _run(bench: Bench, url: str, what: str) -> None:
    env = environment("credit", bench.stack.settings, bench.stack.around) | {"CREDIT_DATABASE_URL": url}
    process = await asyncio.create_subprocess_exec(
        *command("credit", what),
        env={**os.environ, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"credit {what} ended with {process.returncode}: {said.decode()[-2_000:]}")
