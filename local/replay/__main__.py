"""`python -m local replay`: sells real baskets to a running stack, as a gateway does, and reconciles.

Exit code: 0 when all is reconciled and no call failed for good; 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import uvloop

from local.replay.gateway import PATIENCE, PatientGateway
from local.replay.run import Replay, Wishes
from local.services import SERVICES
from local.tokens import Keys, all_scopes

TOKEN_HOURS = 24
LOOK_SECONDS = 0.5  # between two looks for the stop file


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m local replay", description=__doc__)
    add = parser.add_argument
    add("--target", required=True, help="address with {service} in it, or one address=… for each: a=…,b=…")
    add("--keys", type=Path, help="folder of the signing keys (local.tokens): a token of a merchant is made")
    add("--merchant", help="that merchant, which nobody may have used before; unset: a fresh one")
    add(
        "--token-file", type=Path, help="a token of a merchant that nobody has used before, instead of --keys"
    )
    add("--ca", type=Path, help="certificates that the services' TLS is checked with; unset: plaintext")
    add("--seconds", type=float, help="sell so long; without --baskets as well: until told to stop")
    add("--baskets", type=int, help="sell so many")
    add("--rate", type=float, default=10.0, help="sales, returns and payments a second at most (10)")
    add("--tills", type=int, default=16, help="served at once at most (16)")
    add("--sample", type=int, default=6_000, help="baskets to choose from, about 60 a customer (6000)")
    add("--seed", type=int, help="of sample and ids; unset: a new one")
    add("--patience", type=float, default=PATIENCE, help="seconds after which a call counts as failed")
    add("--settle", type=float, default=120.0, help="seconds until all must have settled at the end")
    add("--stop-file", type=Path, help="stop selling when it exists; so do SIGINT and SIGTERM")
    add("--journal", type=Path, help="a file for what was answered, a JSON line each")
    add("--report", type=Path, help="a file for the report as JSON")
    return parser.parse_args(argv)


def targets_of(target: str) -> dict[str, str]:
    """The address of each service; raise ValueError where one is missing."""
    if "{service}" in target:
        return {service: target.format(service=service) for service in SERVICES}
    found = dict(part.split("=", 1) for part in target.split(","))
    if found.keys() != set(SERVICES):
        raise ValueError(f"--target must name each of {', '.join(SERVICES)}")
    return found


async def replay(arguments: argparse.Namespace) -> dict[str, Any]:
    """Play until it is enough; a second signal ends it at once."""
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**9)
    if arguments.token_file:
        token = arguments.token_file.read_text().strip()
    else:
        merchant = arguments.merchant or f"replay-{seed}-{os.urandom(3).hex()}"
        token = Keys(arguments.keys).till(merchant, all_scopes(), hours=TOKEN_HOURS)
        say(f"merchant {merchant}, seed {seed}")
    credentials = grpc.ssl_channel_credentials(arguments.ca.read_bytes()) if arguments.ca else None
    gateway = PatientGateway(
        targets_of(arguments.target), token, patience=arguments.patience, credentials=credentials
    )
    wishes = Wishes(
        seed=seed,
        sample=arguments.sample,
        baskets=arguments.baskets,
        seconds=arguments.seconds,
        rate=arguments.rate,
        tills=arguments.tills,
        settle_seconds=arguments.settle,
    )
    running = Replay(gateway, wishes, say, arguments.journal)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def told() -> None:
        running.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    looking = asyncio.create_task(_look_for(arguments.stop_file, running)) if arguments.stop_file else None
    try:
        return await running.run()
    finally:
        if looking:
            looking.cancel()
        await gateway.close()


async def _look_for(file: Path, running: Replay) -> None:
    while not file.exists():  # noqa: ASYNC110  a look at a file now and then, nobody announces it
        await asyncio.sleep(LOOK_SECONDS)
    running.stop()


def main(argv: Sequence[str]) -> int:
    """Play, report; the exit code."""
    arguments = arguments_of(argv)
    if not (arguments.keys or arguments.token_file):
        print("replay needs --keys or --token-file", file=sys.stderr)
        return 2
    try:
        report = uvloop.run(replay(arguments))
    except grpc.aio.AioRpcError as error:
        say(f"the shop could not be opened: {error.code().name}: {error.details()}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped at once; nothing was reconciled")
        return 130
    if arguments.report:
        arguments.report.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    for failure in report["failed"][:20]:
        say(f"failed for good: {failure}")
    for difference in report["differences"][:20]:
        say(f"difference: {difference}")
    word = "reconciled" if report["reconciled"] else f"{report['differences_in_all']} differences"
    say(
        f"{report['baskets']} sales of {report['customers']} customers in {report['seconds']} s, "
        f"{sum(report['repeated'].values())} calls repeated, {len(report['failed'])} failed for good; {word}"
    )
    return 0 if report["reconciled"] and not report["failed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
