"""`python -m local.rendered`: runs overlay `local` on this machine and plays real baskets through it.

Root and Linux are enough; see docs/decisions/0049. Exit code: 0 unless something is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.part import PartFailed
from local.rendered.smoke import Smoke
from local.rendered.steps import say
from local.settings import ROOT

INSIDE = "LANGGANAN_RENDERED"  # set in the namespaces of our own


def enter(argv: Sequence[str]) -> None:
    """Become the same program in network, mount and process namespaces of its own, which end with it."""
    words = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    os.environ[INSIDE] = "1"
    os.execvp(words[0], [*words, sys.executable, "-m", "local.rendered", *argv])


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.rendered", description=__doc__)
    add = parser.add_argument
    add("--overlay", type=Path, default=ROOT / "deploy/overlays/local")
    add("--whole", action="store_true", help="roll everything, kill pods, break things on purpose, audit")
    add("--rate", type=float, default=8.0, help="sales, returns and payments a second (8)")
    add("--report", type=Path, help="a file for the report as JSON")
    add("--folder", type=Path, help="where logs and data go, which stay; unset: a folder that goes")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the smoke test; the exit code."""
    arguments = arguments_of(argv)
    if os.geteuid() != 0:
        say("this needs root: it makes namespaces, an address for each pod and mounts")
        return 2
    if not os.environ.get(INSIDE):
        enter(argv)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="langganan-rendered-"))
    folder.mkdir(parents=True, exist_ok=True)
    # Pods run as a user of their own, who must get through to their volumes.
    folder.chmod(0o755)
    try:
        smoke = Smoke(arguments.overlay, folder.resolve(), arguments.rate)
        report: dict[str, Any] = asyncio.run(smoke.run(whole=arguments.whole))
    except PartFailed as error:
        say(str(error))
        return 1
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=2) + "\n")
    for fault in report["faults"]:
        say(f"not as it must be: {fault}")
    say(f"{len(report['faults'])} faults after {report['seconds']} s")
    return 1 if report["faults"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
