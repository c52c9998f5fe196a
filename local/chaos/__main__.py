"""`python -m local chaos`: plays real baskets while everything is killed now and then, and reconciles.

Environment: KILLS (20), SEED (7), BASKETS (about 500).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from local.chaos.run import ChaosRun
from local.demo.driver import TooManySurprises
from local.part import PartFailed
from local.settings import LocalSettings

DAYS = 18
SAMPLE = 20  # baskets of the sample for one of its first 18 days


def main() -> int:
    """Play; the exit code is 1 unless all is reconciled and no kill repeated more than one message."""
    console = Console()
    kills, seed = int(os.environ.get("KILLS") or "20"), int(os.environ.get("SEED") or "7")
    baskets = int(os.environ.get("BASKETS") or "500")
    home = Path(tempfile.mkdtemp(prefix="langganan-chaos-"))
    try:
        run = ChaosRun(baskets * SAMPLE, DAYS, seed, kills, console)
        report = uvloop.run(run.play(LocalSettings().model_copy(update={"home": home})))
    except (PartFailed, TooManySurprises, TimeoutError) as error:
        console.print(str(error), style="red", highlight=False, markup=False)
        console.print(f"logs: {home / 'logs'}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped")
        return 130
    for difference in report["differences"]:
        console.print(difference, highlight=False, markup=False)
    killed = sum(report["kills"].values())
    console.print(
        f"{report['baskets']} baskets, {killed} kills {report['kills']}, {report['mails']} messages, "
        f"{report['mails_repeated']} repeated under the same Message-ID, {report['retries']} retries, "
        f"{report['seconds']} s; {'reconciled' if report['reconciled'] else 'NOT reconciled'}"
    )
    good = report["reconciled"] and report["mails_repeated"] <= killed
    if good:
        shutil.rmtree(home)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
