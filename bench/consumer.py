"""From purchase-completed to the posted hold: how fast the worker catches up, and its lag at half of that.

The sales are in Kafka before the worker starts; each names a pending hold of one of the accounts in turn,
is posted, and makes an event that the same worker relays meanwhile. Then the relay alone, with an outbox that
was filled before; then half of the rate found, from a producer that keeps its pace.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from typing import Any, NamedTuple

import asyncpg

from bench.child import Child
from bench.machine import Costs, cpu_seconds
from bench.purchases import AMOUNT
from bench.setting import MERCHANT, Bench
from kit.ids import new_uuid
from local.http import get

NAME = "consumer"
_WORKER = "credit-work"
_PARTS = (_WORKER, "postgres", "kafka")
_LOOK_S = 0.2  # between two looks at the worker's counters, which cost it some milliseconds
_SECONDS_MAX = 300.0
_EVENTS = 'langganan_event_seconds_count{group="credit"}'
_SENT = 'langganan_relay_sent_total{slice="0"}'
_HOLDS = """
WITH v AS (SELECT * FROM unnest($2::text[], $3::uuid[]) AS u (customer_id, hold_id)),

new AS (
    INSERT INTO holds (
        merchant_id, hold_id, customer_id, state, amount, available, fingerprint, store_id, register_id,
        staff_ref, recognised_by, decided_at, expires_at
    )
    SELECT
        $1, hold_id, customer_id, 'PENDING', $4, $4, '\\x00', 'toko-1', 'kasir-1', 'staf-1', 1, now(),
        now() + interval '1 day'
    FROM v
)

UPDATE accounts AS a
SET held = a.held + s.held
FROM (SELECT customer_id, count(*) * $4 AS held FROM v GROUP BY customer_id) AS s
WHERE a.merchant_id = $1 AND a.customer_id = s.customer_id
"""
# Of what the relay is measured with, as large as invoice-issued.
_OUTBOX = """
INSERT INTO outbox (topic, event_id, type, merchant_id, key, time, payload)
SELECT 'credit', e.event_id, 'bench', $1, e.key, now(), convert_to(repeat('x', 260), 'UTF8')
FROM unnest($2::uuid[], $3::text[]) AS e (event_id, key)
"""
# An entry is dated by its sale, and says when it was written; what follows is the commit.
_LAG = """
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
    ORDER BY extract(epoch FROM recorded_at - effective_at)
)
FROM entries
WHERE merchant_id = $1 AND recorded_at > $2 AND effect = 'CHARGED'
"""
_MARKED = "SELECT count(*) FROM invoice_exceptions WHERE merchant_id = $1"


class Look(NamedTuple):
    """What the worker has done by an instant, and the CPU seconds of each part."""

    at: float
    done: float
    cpu: dict[str, float]


async def measure(bench: Bench) -> dict[str, Any]:
    """Measure; events a second, their cost, and the lag at half of that."""
    events = 15_000 if bench.quick else 60_000
    arguments = (bench.stack.kafka_bootstrap, bench.stack.settings.prefix, MERCHANT)
    till = await Child.start("bench.purchases", *arguments, core=bench.cores.load)
    conn = await asyncpg.connect(bench.database)
    try:
        caught_up = await _catch_up(bench, conn, till, events)
        relayed = await _relay(bench, conn, 4 * events)
        half = await _half_load(bench, conn, till, caught_up["per_s"] / 2)
        marked = await conn.fetchval(
            "SELECT count(*) FROM invoice_exceptions WHERE merchant_id = $1", MERCHANT
        )
        if marked:
            raise RuntimeError(f"{marked} sales did not find their hold")
    finally:
        await conn.close()
        await till.stop()
    return {
        "consumer_per_s": caught_up["per_s"],
        "consumer_p99_lag_ms": half["p99_lag_ms"],
        "relay_per_s": relayed["per_s"],
        "catching_up": caught_up,
        "relay_alone": relayed,
        "half_load": half,
    }


async def _catch_up(
    bench: Bench, conn: asyncpg.Connection[asyncpg.Record], till: Child, events: int
) -> dict[str, Any]:
    await _stop_worker(bench)
    await till.ask(**await _authorized(bench, conn, events))
    await bench.stack.restart(_WORKER)
    return _rate(await _watch(bench, _EVENTS, events), events)


async def _relay(bench: Bench, conn: asyncpg.Connection[asyncpg.Record], events: int) -> dict[str, Any]:
    await bench.stack.settled()
    await _stop_worker(bench)
    keys = list(itertools.islice(itertools.cycle(bench.customers), events))
    await conn.execute(_OUTBOX, MERCHANT, [uuid.uuid4() for _ in keys], keys)
    await bench.stack.restart(_WORKER)
    return _rate(await _watch(bench, _SENT, events), events)


async def _half_load(
    bench: Bench, conn: asyncpg.Connection[asyncpg.Record], till: Child, rate: float
) -> dict[str, Any]:
    await bench.stack.settled()
    events = int(rate * (5 if bench.quick else 20))
    sales = await _authorized(bench, conn, events)
    costs = await Costs.begin(bench.pids(*_PARTS), bench.stack.superuser_url)
    begun = await conn.fetchval("SELECT clock_timestamp()")
    await till.ask(rate=rate, **sales)
    await bench.stack.settled()
    p50, p99 = await conn.fetchval(_LAG, MERCHANT, begun)
    return {
        "per_s": round(rate, 1),
        "p50_lag_ms": round(1_000 * p50, 1),
        "p99_lag_ms": round(1_000 * p99, 1),
        **await costs.per_call(events),
    }


async def _authorized(
    bench: Bench, conn: asyncpg.Connection[asyncpg.Record], events: int
) -> dict[str, list[str]]:
    """Keep a hold of each account in turn, as Authorize does, and return the sales to be written."""
    customers = list(itertools.islice(itertools.cycle(bench.customers), events))
    holds = [new_uuid() for _ in customers]
    await conn.execute(_HOLDS, MERCHANT, customers, holds, AMOUNT)
    return {"customers": customers, "holds": holds}


async def _stop_worker(bench: Bench) -> None:
    await asyncio.to_thread(bench.stack.parts.pop(_WORKER).stop)


async def _watch(bench: Bench, counter: str, events: int) -> list[Look]:
    """Look at a counter of the worker until it has come that far; raise TimeoutError when it does not."""
    pids, looks = bench.pids(*_PARTS), list[Look]()
    async with asyncio.timeout(_SECONDS_MAX):
        while not looks or looks[-1].done < events:
            _, body = await get(bench.stack.http["credit"], "/metrics")
            lines = dict(
                line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#")
            )
            cpu = {name: cpu_seconds(pid) for name, pid in pids.items()}
            looks.append(Look(time.perf_counter(), float(lines.get(counter, 0.0)), cpu))
            await asyncio.sleep(_LOOK_S)
    return looks


def _rate(looks: list[Look], events: int) -> dict[str, Any]:
    """Events a second between two looks in the midst of it, and CPU microseconds an event by part."""
    midst = [look for look in looks if 0 < look.done < events]
    first, last = midst[0], midst[-1]
    done = last.done - first.done
    cpu = {f"{name}_cpu_us": 1e6 * (last.cpu[name] - first.cpu[name]) / done for name in last.cpu}
    return {
        "per_s": round(done / (last.at - first.at), 1),
        **{name: round(each, 1) for name, each in cpu.items()},
    }
