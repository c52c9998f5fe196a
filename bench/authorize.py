"""T: Authorize through the whole service, beside G and B in alternating phases of the same run.

A round is G, B, and T at each number of calls in flight, spread over the accounts and all on one, batched and
with batches of one. Ratios are taken within a round and their medians over the rounds, so that whatever else
the machine does touches both sides.
"""

from __future__ import annotations

from typing import Any

from bench.child import Child
from bench.machine import Costs
from bench.setting import MERCHANT, Bench, median_of

NAME = "authorize"
IN_FLIGHT = (1, 16, 64, 256)
PHASES = [
    (way, where, many)
    for way in ("batched", "unbatched")
    for where in ("spread", "hot")
    for many in IN_FLIGHT
]
# Of the short form: what a headline is made of.
SHORT = {
    *(("batched", "spread", many) for many in IN_FLIGHT),
    ("batched", "hot", 64),
    ("unbatched", "spread", 1),
    ("unbatched", "spread", 64),
}
_AT_64 = 64
Round = dict[str, dict[str, float]]


async def measure(bench: Bench) -> dict[str, Any]:
    """Measure; the figures of each phase, medians of the rounds, and the ratios."""
    cores, rounds = bench.cores, 3
    load = await Child.start("bench.load", bench.token, core=cores.load)
    echo = await Child.start("bench.echo", core=cores.server)
    rows = await Child.start("bench.rows", bench.database, MERCHANT, core=cores.server)
    try:
        async with bench.another("unbatched", batch_max="1") as unbatched:
            phases = _Phases(bench, load, echo, rows, unbatched)
            measured = [await phases.round() for _ in range(rounds)]
        figures = _medians(measured)
        figures["cost"] = await _cost(bench, load, "spread")
        if not bench.quick:
            figures["cost_hot"] = await _cost(bench, load, "hot")
        figures |= await _half_load(bench, load, figures)
    finally:
        for child in (load, echo, rows):
            await child.stop()
    return figures


class _Phases:
    def __init__(self, bench: Bench, load: Child, echo: Child, rows: Child, unbatched: str) -> None:
        self._bench, self._load, self._echo, self._rows = bench, load, echo, rows
        self._targets = {"batched": bench.credit, "unbatched": unbatched}
        self._time = {"seconds": 1.6, "warm": 0.4} if bench.quick else {"seconds": 5.0, "warm": 1.0}

    async def round(self) -> Round:
        """Every phase once; G, B and what they are compared with beside each other."""
        customers = list(self._bench.customers)
        bare: str = (await self._echo.ask())["target"]
        found: Round = {"g_64": await self._closed(bare, customers, _AT_64)}
        found["b"] = await self._rows.ask(customers=customers, batch=_AT_64, **self._time)
        for way, where, many in sorted(PHASES, key=lambda phase: phase[2] != _AT_64):
            if self._bench.quick and (way, where, many) not in SHORT:
                continue
            whom = customers if where == "spread" else customers[:1]
            found[f"{way}_{where}_{many}"] = await self._closed(self._targets[way], whom, many)
        return found

    async def _closed(self, target: str, customers: list[str], in_flight: int) -> dict[str, float]:
        said = await self._load.ask(target=target, customers=customers, in_flight=in_flight, **self._time)
        return answered(said)


def answered(said: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a phase in which every call was answered; raise RuntimeError otherwise."""
    refused: dict[str, int] = said.pop("refused")
    if refused:
        raise RuntimeError(f"calls were refused in a phase that should bear them: {refused}")
    return said


def _medians(rounds: list[Round]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        phase: {name: median_of([each[phase] for each in rounds], name) for name in rounds[0][phase]}
        for phase in rounds[0]
    }
    ratios = [_ratios(each) for each in rounds]
    return {**{name: round(median_of(ratios, name), 3) for name in ratios[0]}, **figures}


def _ratios(found: Round) -> dict[str, float]:
    g, b = found["g_64"]["per_s"], found["b"]["per_s"]
    limit = 1 / (1 / g + 1 / b)
    t64 = found["batched_spread_64"]["per_s"]
    alone, unbatched = found["batched_spread_1"]["p50_ms"], found["unbatched_spread_1"]["p50_ms"]
    return {
        "limit_per_s": limit,
        "ratio_t64_c": t64 / limit,
        "ratio_t64_unbatched": t64 / found["unbatched_spread_64"]["per_s"],
        "ratio_hot_spread": found["batched_hot_64"]["per_s"] / t64,
        "ratio_t1_latency_unbatched": alone / unbatched,
    }


async def _cost(bench: Bench, load: Child, where: str) -> dict[str, float]:
    """What a call costs at 64 in flight."""
    customers = list(bench.customers) if where == "spread" else list(bench.customers[:1])
    begun = await Costs.begin(bench.pids("credit", "postgres"), bench.stack.superuser_url)
    command = {"customers": customers, "in_flight": _AT_64, "seconds": 3.0 if bench.quick else 10.0}
    said = answered(await load.ask(target=bench.credit, **command))
    return {**await begun.per_call(int(said["calls"])), "load_cpu_us": said["load_cpu_us"]}


async def _half_load(bench: Bench, load: Child, figures: dict[str, Any]) -> dict[str, Any]:
    """Latency at half of the highest throughput, each call counted from when it was to be sent.

    A machine that stalls meanwhile has calls refused: they are said, and count as answered never.
    """
    highest = max(figures[f"batched_spread_{many}"]["per_s"] for many in IN_FLIGHT)
    command = {
        "customers": list(bench.customers),
        "rate": highest / 2,
        "seconds": 4.0 if bench.quick else 20.0,
    }
    rounds = [await load.ask(target=bench.credit, warm=1.0, **command) for _ in range(3)]
    found = {name: median_of(rounds, name) for name in ("per_s", "p50_ms", "p99_ms")}
    found["refused"] = sum(sum(said["refused"].values()) for said in rounds)
    return {
        "wal_syncs_per_call": figures["cost"]["wal_syncs"],
        "p99_half_load_ms": found["p99_ms"],
        "half_load": found,
    }
