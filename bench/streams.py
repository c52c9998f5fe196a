"""StreamAuthorize over 1, 8 and 64 streams, beside a bare echo over as many and beside unary calls.

G_stream is a bare grpc.aio echo of messages of the same size, each of one item, over as many streams with
as many items unanswered; the limit is 1/(1/G_stream + 1/B). A round measures all of it once, and ratios are
taken within a round. What a gateway gains that lets items share messages is reported and is in no ratio.
"""

from __future__ import annotations

from typing import Any

from bench.authorize import answered
from bench.child import Child
from bench.machine import Costs
from bench.setting import MERCHANT, Bench, median_of

NAME = "streams"
# Streams, and the items that each keeps unanswered.
SHAPES = {1: 128, 8: 64, 64: 8}
_AT_64 = 64
Round = dict[str, dict[str, float]]


async def measure(bench: Bench) -> dict[str, Any]:
    """Measure; the figures of each phase, medians of the rounds, and the ratios."""
    cores = bench.cores
    streams = await Child.start("bench.stream_load", bench.token, core=cores.load)
    calls = await Child.start("bench.load", bench.token, core=cores.load)
    echo = await Child.start("bench.echo", core=cores.server)
    rows = await Child.start("bench.rows", bench.database, MERCHANT, core=cores.server)
    time = {"seconds": 1.6, "warm": 0.4} if bench.quick else {"seconds": 5.0, "warm": 1.0}
    customers = list(bench.customers)

    async def phase(target: str, many: int, *, gather: bool = False) -> dict[str, float]:
        shape = {"streams": many, "in_flight": SHAPES[many], "gather": gather}
        return answered(await streams.ask(target=target, customers=customers, **shape, **time))

    async def around() -> Round:
        bare: str = (await echo.ask())["target"]
        unary = {"target": bench.credit, "customers": customers, "in_flight": _AT_64}
        found: Round = {
            "b": await rows.ask(customers=customers, batch=_AT_64, **time),
            "unary_64": answered(await calls.ask(**unary, **time)),
        }
        for many in SHAPES:
            found[f"g_stream_{many}"] = await phase(bare, many)
            found[f"streams_{many}"] = await phase(bench.credit, many)
            found[f"gathered_{many}"] = await phase(bench.credit, many, gather=True)
        return found

    try:
        rounds = [await around() for _ in range(3)]
        begun = await Costs.begin(bench.pids("credit", "postgres"), bench.stack.superuser_url)
        said = await phase(bench.credit, 8)
        cost = {**await begun.per_call(int(said["items"])), "load_cpu_us": said["load_cpu_us"]}
    finally:
        for child in (streams, calls, echo, rows):
            await child.stop()
    ratios = [_ratios(each) for each in rounds]
    figures: dict[str, Any] = {name: round(median_of(ratios, name), 3) for name in ratios[0]}
    for name in rounds[0]:
        figures[name] = {what: median_of([each[name] for each in rounds], what) for what in rounds[0][name]}
    return {**figures, "cost_8": cost}


def _ratios(found: Round) -> dict[str, float]:
    """Of each number of streams; the headlines are the least of them."""
    limits, unary = {}, {}
    for many in SHAPES:
        limit = 1 / (1 / found[f"g_stream_{many}"]["per_s"] + 1 / found["b"]["per_s"])
        limits[many] = found[f"streams_{many}"]["per_s"] / limit
        unary[many] = found[f"streams_{many}"]["per_s"] / found["unary_64"]["per_s"]
    return {
        "ratio_stream_limit": min(limits.values()),
        "ratio_stream_unary": min(unary.values()),
        **{f"ratio_stream_limit_{many}": ratio for many, ratio in limits.items()},
        **{f"ratio_stream_unary_{many}": ratio for many, ratio in unary.items()},
    }
