"""What `make bench` says, and that its clock counts from when a call was to be sent."""

from __future__ import annotations

import asyncio
import io
import os
import time
from pathlib import Path
from typing import Any

import grpc.aio
from rich.console import Console

from bench.echo import REPLY, Echo
from bench.group import one_group
from bench.load import Load, percentile
from bench.machine import Cores
from bench.report import HEADLINES, as_json, show
from bench.stream_load import StreamLoad
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc

PROMISED = {
    "ratio_t64_c",
    "ratio_t64_unbatched",
    "ratio_hot_spread",
    "ratio_t1_latency_unbatched",
    "ratio_1m_1k",
    "wal_syncs_per_call",
    "ratio_stream_limit",
    "ratio_stream_unary",
    "consumer_per_s",
    "p99_half_load_ms",
}
STALL_S = 0.7


class Stalling(holds_pb2_grpc.HoldServiceServicer):
    """Answers at once, but for one stall during which the whole process does nothing."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def Authorize(self, request: holds_pb2.AuthorizeRequest, context: Any) -> Any:
        self.ids.append(request.hold_id)
        if len(self.ids) == 20:
            time.sleep(STALL_S)  # noqa: ASYNC251  the sender is to be held up as well
        return holds_pb2.AuthorizeResponse.FromString(REPLY)


async def _sent(**command: Any) -> tuple[dict[str, Any], list[str]]:
    server, servicer = grpc.aio.server(), Stalling()
    holds_pb2_grpc.add_HoldServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        load = Load("a-token")
        said = await load.answer({"target": f"127.0.0.1:{port}", "customers": ["0123456789ABC"], **command})
        return said, servicer.ids
    finally:
        await server.stop(None)


async def test_calls_that_a_stall_held_back_count_from_when_they_were_to_be_sent() -> None:
    said, ids = await _sent(rate=100, seconds=1.0)
    # 70 of the 100 fall into the stall and wait between its whole length and nothing; one was under way.
    assert said["calls"] == len(ids) == 100
    assert said["p50_ms"] > 0.2 * STALL_S * 1_000


async def test_every_request_has_an_id_of_its_own() -> None:
    said, ids = await _sent(in_flight=4, seconds=0.5)
    assert said["calls"] == len(ids) > 4
    assert len(set(ids)) == len(ids)


async def test_a_refused_call_is_no_answer() -> None:
    load = Load("a-token")
    command = {"target": "127.0.0.1:1", "customers": ["0123456789ABC"], "in_flight": 1, "seconds": 0.1}
    said = await asyncio.wait_for(load.answer(command), 10)
    assert said["calls"] == 0
    assert said["refused"].keys() == {"UNAVAILABLE"}
    assert said["p50_ms"] == 10_000.0, "whoever is refused has waited for nothing"


async def test_streams_are_filled_with_items_until_their_time_is_over_and_each_answer_counts_once() -> None:
    echo = await Echo.prepare()  # held to the end: with it goes the server
    target = (await echo({}))["target"]
    command = {"target": target, "customers": ["0123456789ABC"], "streams": 3, "in_flight": 4, "seconds": 0.5}
    said = await asyncio.wait_for(StreamLoad("a-token").answer({**command, "gather": False}), 10)
    assert said["refused"] == {}
    assert said["items"] > 20
    assert 0 < said["p50_ms"] <= said["p99_ms"] < 500


def test_the_report_has_every_promised_figure_and_null_where_nothing_measured_it() -> None:
    found = as_json({"authorize": {"ratio_t64_c": 0.6, "b": {"per_s": 20_000.0}}}, {"quick": True})
    assert found.keys() >= PROMISED
    assert found["ratio_t64_c"] == 0.6
    assert found["consumer_per_s"] is None
    assert found["raw"]["authorize"]["b"]["per_s"] == 20_000.0


def test_the_table_says_which_goals_hold_and_which_are_missed() -> None:
    output = io.StringIO()
    show(
        as_json({"authorize": {"ratio_t64_c": 0.6, "ratio_hot_spread": 0.5}}, {}),
        Console(file=output, width=160),
    )
    rows = {line.split("│")[1].strip(): line for line in output.getvalue().splitlines() if "│" in line}
    says = {each.name: each.says for each in HEADLINES}
    assert "holds" in rows[says["ratio_t64_c"]]
    assert "missed" in rows[says["ratio_hot_spread"]]
    assert "not measured" in rows[says["ratio_1m_1k"]]


def test_a_percentile_is_one_that_was_measured() -> None:
    seconds = [each / 1_000 for each in range(100, 0, -1)]
    assert percentile(seconds, 50) == 51.0
    assert percentile(seconds, 99) == 100.0
    assert percentile([], 99) == 0.0


def test_a_run_is_a_scheduling_group_of_its_own_and_leaves_it() -> None:
    before = Path("/proc/self/cgroup").read_text()
    with one_group() as grouped:
        assert (f"langganan-bench-{os.getpid()}" in Path("/proc/self/cgroup").read_text()) is grouped
    assert Path("/proc/self/cgroup").read_text() == before


def test_the_load_has_another_core_where_there_is_one() -> None:
    cores = Cores.here()
    assert {cores.server, cores.load} <= os.sched_getaffinity(0)
    assert (cores.server != cores.load) == (len(os.sched_getaffinity(0)) > 1)
