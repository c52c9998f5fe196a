"""The operator's commands of a service: what is parked, replay it, rewind the group."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime

from kit.errors import DomainError
from kit.events import Consumer
from kit.events.rewind import rewind
from kit.runtime import Build, Runtime, Service
from kit.settings import ServiceSettings

_LIST_MAX = 1_000


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `parked` and `rewind` to a service's command line."""
    parked = commands.add_parser("parked", help="events that could not be applied")
    parked.add_argument("action", choices=["list", "replay"])
    parked.add_argument("--merchant", default="", help="with --customer: replay that one alone")
    parked.add_argument("--customer", default="", help="customer id, or purchase id of an anonymous sale")
    back = commands.add_parser("rewind", help="seek the group back to a record time; stop the workers first")
    back.add_argument("--to", required=True, type=_instant, help="such as 2026-01-31T00:00:00Z")


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


async def _do(arguments: argparse.Namespace, runtime: Runtime[ServiceSettings], service: Service) -> int:
    consumer = service.consumer
    assert consumer is not None, "a service with these commands has a consumer"
    if arguments.command != "rewind":
        return await _parked(arguments, consumer)
    settings = runtime.settings
    places = await rewind(
        settings.kafka_bootstrap, consumer.group, consumer.topics, arguments.to, prefix=settings.topic_prefix
    )
    print(f"{consumer.group} goes on from {arguments.to.isoformat()} in {len(places)} partitions")
    return 0


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


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise argparse.ArgumentTypeError("give the instant with its offset, such as 2026-01-31T00:00:00Z")
    return value
