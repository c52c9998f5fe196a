"""`python -m local demo`: plays real baskets against the whole stack and checks every point and rupiah.

Environment: BASKETS (2000; `all`), SEED (7), REPORT (a file for the JSON).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import uvloop
from rich.console import Console

from local.demo import baskets as source
from local.demo import report as reporting
from local.demo.compare import Comparison
from local.demo.driver import Driver, TooManySurprises
from local.demo.figures import Costs, scrape
from local.demo.gateway import Gateway
from local.demo.heard import listen
from local.demo.journal import Journal
from local.demo.messages import Ids
from local.demo.oracle.fold import Oracle
from local.demo.people import meet, zone_of
from local.demo.probe import Probe
from local.demo.progress import Progress
from local.demo.script import DAY, Plan, Stages, plan
from local.demo.setup import open_shop, register
from local.demo.view import View
from local.part import PartFailed
from local.settings import LocalSettings
from local.stack import Stack

STAGES = {
    1: Stages(credit=False, points=False, returns=False, mishaps=False),
    2: Stages(credit=True, points=False, returns=False, mishaps=False),
    3: Stages(credit=True, points=True, returns=True, mishaps=False),
    4: Stages(),
}


class Run:
    """One run of the demo, from the raw data to the report."""

    def __init__(
        self, wanted: int | None, seed: int, stages: Stages, console: Console, days: int | None = None
    ) -> None:
        self._console = console
        self._stages = stages
        self._ids = Ids(seed)
        self._progress = Progress()
        self._journal = Journal()
        self._baskets = source.load(wanted, seed)
        self._people = meet(set(self._baskets.households.tolist()), seed)
        whole = plan(self._baskets, self._people, seed, stages)
        self._plan: Plan = dict(list(whole.items())[:days])
        # The home store is that of the first visit.
        self._homes: dict[int, int] = {}
        for household, store in zip(
            self._baskets.households.tolist(), self._baskets.stores.tolist(), strict=True
        ):
            self._homes.setdefault(household, store)
        self._progress.baskets_in_all = sum(
            len(visit.sales) for visits in self._plan.values() for visit in visits.values()
        )
        self._progress.customers = len(self._people)

    async def play_until_stopped(self, settings: LocalSettings) -> dict[str, Any]:
        """Play; Ctrl-C and SIGTERM cancel it, and all of the stack ends with it."""
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await self.play(settings)

    async def play(self, settings: LocalSettings) -> dict[str, Any]:
        """Start the stack, play, compare, report."""
        started = time.monotonic()
        begins = datetime.fromtimestamp(min(self._plan) * DAY, UTC)
        stack = Stack(
            await _fresh(settings), start=begins, say=lambda text: self._console.print(f"[dim]{text}[/]")
        )
        async with stack:
            gateway = Gateway(stack.grpc, stack.token())
            view = asyncio.create_task(View(self._console, self._progress, lambda: stack.http).run())
            watch = asyncio.create_task(stack.watch())
            work = asyncio.create_task(self._work(stack, gateway, started))
            try:
                done, _ = await asyncio.wait([work, watch, view], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                report = work.result()
            finally:
                for task in (view, watch, work):
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await view
                await asyncio.gather(watch, work, return_exceptions=True)
                await gateway.close()
            reporting.show(self._console, report, stack.mail)
        return report

    async def _work(self, stack: Stack, gateway: Gateway, started: float) -> dict[str, Any]:
        progress = self._progress
        progress.phase = "Opening the shop"
        begins = min(self._plan) * DAY
        await open_shop(gateway, self._ids, sorted(set(self._baskets.stores.tolist())), begins)
        self._journal.customers = await register(
            gateway, self._ids, self._people, self._homes, credit=self._stages.credit
        )
        await stack.settled()
        costs = Costs(lambda: _pids(stack))
        progress.phase = "Selling"
        probe = Probe(gateway)
        driver = Driver(
            stack, gateway, self._baskets, self._people, self._journal, progress, self._ids, probe
        )
        await driver.play(self._plan)
        await probe.close()
        used = {"cpu_seconds": costs.cpu_seconds(), "memory_mb": costs.memory_mb()}
        samples = await scrape(stack.http)
        latency = {name: array("d", times) for name, times in gateway.latency.items()}
        progress.phase, progress.day = "Comparing with the oracle", ""
        oracle = Oracle(self._baskets, self._people, credit=self._stages.credit)
        heard = await listen(stack.kafka_bootstrap, stack.settings.prefix)
        comparison = Comparison(gateway, oracle, self._journal, heard, len(self._baskets))
        zones = {household: zone_of(store) for household, store in self._homes.items()}
        found = await comparison.run(zones)
        mails = await asyncio.to_thread(reporting.compare_mails, found, stack.mail)
        seconds = time.monotonic() - started
        return reporting.build(
            progress, found, gateway, samples, latency, probe.seconds, used, mails, seconds
        )


def _pids(stack: Stack) -> dict[str, int]:
    return {name: part.pid for name, part in stack.parts.items() if part.pid is not None}


async def _fresh(settings: LocalSettings) -> LocalSettings:
    """The demo has a folder of its own, emptied first: its clock starts in 2017 and only moves forward."""
    ours = settings.model_copy(update={"home": settings.home.resolve() / "demo"})
    stack = Stack(ours)
    stack.take_home()  # a run that is under way keeps its data
    try:
        for inside in stack.home.iterdir():
            if inside.is_dir():
                await asyncio.to_thread(shutil.rmtree, inside)
            elif inside.name != "lock":
                inside.unlink()
    finally:
        await stack.stop()
    return ours


def main(argv: Sequence[str]) -> int:
    """Play the demo; the exit code is 1 unless all is reconciled."""
    parser = argparse.ArgumentParser(prog="python -m local demo", description=__doc__)
    parser.add_argument(
        "--stage", type=int, choices=STAGES, default=4, help="1 cash, 2 credit, 3 points and returns, 4 all"
    )
    parser.add_argument("--days", type=int, help="only the first so many days, to measure and debug")
    arguments = parser.parse_args(argv)
    console = Console()
    wanted = os.environ.get("BASKETS") or "2000"
    seed = int(os.environ.get("SEED") or "7")
    try:
        console.print("[dim]reading the baskets[/]")
        count = None if wanted == "all" else int(wanted)
        run = Run(count, seed, STAGES[arguments.stage], console, arguments.days)
        report = uvloop.run(run.play_until_stopped(LocalSettings()))
    except (PartFailed, TooManySurprises, TimeoutError) as error:
        console.print(str(error), style="red", highlight=False, markup=False)
        return 1
    except grpc.aio.AioRpcError as error:
        console.print(f"The shop could not be opened: {error.code().name}: {error.details()}", style="red")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped")
        return 130
    if path := os.environ.get("REPORT"):
        reporting.write(report, Path(path))
    return 0 if report["reconciled"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
