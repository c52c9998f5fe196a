"""The operator's commands of a service: audit its books, list and replay what is parked, rewind the group.

A service adds its own as `Command`s.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from kit.audit import note, run_audit
from kit.errors import DomainError
from kit.events import Consumer
from kit.events.rewind import rewind
from kit.runtime import Build, Runtime, Service
from kit.settings import ServiceSettings

_LIST_MAX = 1_000
Subparsers = argparse._SubParsersAction


@dataclass(frozen=True, slots=True)
class Command:
    """A command of one service alone: its name and purpose, its arguments, and what it does.

    `run` opens what it needs through the runtime and returns the exit code.
    """

    name: str
    purpose: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Runtime[Any]], Awaitable[int]]


def add_commands(commands: Subparsers[argparse.ArgumentParser], own: Sequence[Command] = ()) -> None:
    """Add `audit`, `parked`, `rewind` and the service's own to its command line."""
    for command in own:
        command.arguments(commands.add_parser(command.name, help=command.purpose))
    books = commands.add_parser("audit", help="fold all books again and name every difference")
    books.add_argument("--show", type=int, default=20, help="differences to print; all are counted")
    parked = commands.add_parser("parked", help="events that could not be applied")
    parked.add_argument("action", choices=["list", "replay"])
    parked.add_argument("--merchant", default="", help="with --customer: replay that one alone")
    parked.add_argument("--customer", default="", help="customer id, or purchase id of an anonymous sale")
    back = commands.add_parser("rewind", help="seek the group back to a record time; stop the workers first")
    back.add_argument("--to", required=True, type=instant, help="such as 2026-01-31T00:00:00Z")


async def run(arguments: argparse.Namespace, runtime: Runtime[ServiceSettings], build: Build) -> int:
    """Do the command; returns the exit code."""
    service = await build(runtime)
    try:
        return await _do(arguments, runtime, service)
    except DomainError as error:
        print(error.message, file=sys.stderr)
        return 1
    finally:
        for close in service.close:
            await close()
        for pool in runtime.pools:
            pool.terminate()


async def run_own(command: Command, arguments: argparse.Namespace, runtime: Runtime[Any]) -> int:
    """Do a command of the service's own; returns the exit code."""
    try:
        return await command.run(arguments, runtime)
    except DomainError as error:
        print(error.message, file=sys.stderr)
        return 1
    finally:
        for pool in runtime.pools:
            pool.terminate()


async def _do(arguments: argparse.Namespace, runtime: Runtime[ServiceSettings], service: Service) -> int:
    if arguments.command == "audit":
        return await _audit(arguments, service)
    consumer = service.consumer
    assert consumer is not None, "a service with these commands has a consumer"
    if arguments.command != "rewind":
        return await _parked(arguments, consumer)
    settings = runtime.settings
    places = await rewind(
        runtime.broker, consumer.group, consumer.topics, arguments.to, prefix=settings.topic_prefix
    )
    print(f"{consumer.group} goes on from {arguments.to.isoformat()} in {len(places)} partitions")
    return 0


async def _audit(arguments: argparse.Namespace, service: Service) -> int:
    if service.audit is None:
        print("this service keeps no books that could be audited", file=sys.stderr)
        return 2
    started = datetime.now(UTC)
    outcome = await run_audit(service.pool, service.audit)
    await note(service.pool, "audit", started, outcome)
    for difference in outcome.first[: arguments.show]:
        print(json.dumps(asdict(difference)))
    print(f"looked at {outcome.looked_at} customers, found {outcome.differences} differences")
    return 1 if outcome.differences else 0


async def _parked(arguments: argparse.Namespace, consumer: Consumer) -> int:
    if arguments.action == "list":
        rows = await consumer.list_parked(_LIST_MAX)
        for row in rows:
            print(json.dumps(row, default=str))
        if len(rows) == _LIST_MAX:
            print(f"only the first {_LIST_MAX} are listed", file=sys.stderr)
        return 0
    if bool(arguments.customer) != bool(arguments.merchant):
        print("give --merchant and --customer together, or neither for all", file=sys.stderr)
        return 2
    if arguments.customer:
        done = await consumer.replay(arguments.merchant, arguments.customer)
    else:
        done = await consumer.replay_all()
    print(f"applied {done.applied}, still parked {done.left}")
    return 1 if done.left else 0


def instant(text: str) -> datetime:
    """Read an instant of the command line, with its offset."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError("give the instant with its offset, such as 2026-01-31T00:00:00Z")
    return value
