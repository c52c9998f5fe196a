"""`python -m bench [MEASURE…]`: starts a stack of its own, measures, prints tables and writes the JSON.

Environment: REPORT (a file for the JSON), QUICK (1: the short form), LOCAL_BASE_PORT (7500). Exits 1 where a
call was refused in a phase that should bear it, or where one merchant waits too long beside another; a missed
goal of speed is only said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench.fairness import is_fair
from bench.group import one_group
from bench.measures import LONG, MEASURES
from bench.report import as_json, show
from bench.setting import OVERRIDES, setting
from local.part import PartFailed
from local.settings import LocalSettings
from local.stack import Stack

BASE_PORT = "7500"  # beside `make up`
# A file is as wide as a table needs; a terminal is what it is.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


async def run(home: Path, *, quick: bool, only: list[str], grouped: bool) -> dict[str, Any]:
    """Run the stack and every measure; the report. `grouped`: whether all is one scheduling group."""
    begun, at = time.monotonic(), datetime.now(UTC)
    loads = [psutil.getloadavg()[0]]
    # Serve and work apart, as they are deployed: what is measured answers calls and does nothing else.
    settings = LocalSettings(home=home, base_port=int(os.environ.get("LOCAL_BASE_PORT", BASE_PORT)))
    async with Stack(settings, services=("credit",), apart=True, overrides=OVERRIDES, say=_say) as stack:
        _say("opening the accounts")
        async with setting(stack, quick=quick) as bench:
            for name, measure in MEASURES:
                if (only and name not in only) or (quick and name in LONG):
                    continue
                _say(f"measuring {name}")
                bench.so_far[name] = await measure(bench)
                loads.append(psutil.getloadavg()[0])
            stack.check()
    about = {
        "begun": at.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begun),
        "quick": quick,
        "cores": len(os.sched_getaffinity(0)),
        "one_scheduling_group": grouped,
        "load_average": [round(each, 1) for each in loads],
    }
    return as_json(bench.so_far, about)


def _say(text: str) -> None:
    console.print(f"[dim]{text}[/]")


def main() -> int:
    """Measure and print; 1 when the quiet merchant waits too long."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"measures: {', '.join(name for name, _ in MEASURES)}")
    only = parser.parse_args().only
    quick = os.environ.get("QUICK") == "1"
    with one_group() as grouped, tempfile.TemporaryDirectory(prefix="langganan-bench-") as home:
        try:
            report = asyncio.run(run(Path(home), quick=quick, only=only, grouped=grouped))
        except PartFailed as failed:
            console.print(str(failed), style="red", markup=False)
            return 1
    show(report, console)
    if path := os.environ.get("REPORT"):
        Path(path).write_text(json.dumps(report, indent=2) + "\n")
        _say(f"written to {path}")
    return 0 if is_fair(report["raw"].get("fairness", {})) else 1


if __name__ == "__main__":
    sys.exit(main())
