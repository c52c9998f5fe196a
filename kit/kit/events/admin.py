"""The operator's commands: `parked list`, `parked replay`, `rewind --to TIME`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import Any

from kit.errors import DomainError
from kit.events.consumer import Consumer
from kit.runtime import Build, Runtime


def add_commands(commands: Any) -> None:
    """Add the commands to a service's command line."""
    parked = commands.add_parser("parked", help="events that could not be applied: list or replay")
    what = parked.add_subparsers(dest="what", required=True)
    listing = what.add_parser("list", help="show them, by customer, oldest first")
    listing.add_argument("--limit", type=int, default=200)
    replaying = what.add_parser("replay", help="apply them in order")
    replaying.add_argument("--merchant", help="of one customer: the merchant")
    replaying.add_argument("--key", help="of one customer: the customer id (purchase id when anonymous)")
    replaying.add_argument("--all", action="store_true", help="of all customers")
    back = commands.add_parser("rewind", help="let the consumer hear again what was written since a time")
    back.add_argument("--to", type=datetime.fromisoformat, required=True, help="RFC 3339, with an offset")


async def run(arguments: argparse.Namespace, runtime: Runtime[Any], build: Build) -> int:
    """Do what the arguments say; returns the exit code, 1 when something stays parked or cannot be done."""
    service = await build(runtime)
    try:
        consumer = service.consumer
        if not isinstance(consumer, Consumer):
            return _fail(f"{runtime.name} hears no events")
        if arguments.command == "rewind":
            return await _rewind(consumer, arguments.to)
        if arguments.what == "list":
            return await _list(consumer, arguments.limit)
        return await _replay(consumer, arguments)
    except DomainError as error:
        return _fail(error.message)
    finally:
        for close in service.close:
            await close()
        for pool in runtime.pools:
            await pool.close()


async def _list(consumer: Consumer, limit: int) -> int:
    for row in await consumer.list_parked(limit):
        why = f"  {row['error_type']}: {row['error']}" if row["error_type"] else ""
        print(
            f"{row['parked_at']:%Y-%m-%dT%H:%M:%SZ}  {row['merchant_id']}  {row['key']}  {row['status']}"
            f"  {row['topic']}/{row['type']}  {row['event_id']}  tried {row['attempts']}{why}"
        )
    return 0


async def _replay(consumer: Consumer, arguments: argparse.Namespace) -> int:
    if arguments.all:
        done = await consumer.replay_all()
    elif arguments.merchant and arguments.key:
        done = await consumer.replay(arguments.merchant, arguments.key)
    else:
        return _fail("name a customer with --merchant and --key, or say --all")
    print(f"{done.applied} applied, {done.left} still parked")
    return 1 if done.left else 0


async def _rewind(consumer: Consumer, to: datetime) -> int:
    if to.tzinfo is None:
        return _fail("the time needs an offset, such as 2026-11-22T10:00:00+07:00")
    for partition, offset in sorted((await consumer.rewind(to)).items()):
        print(f"{partition.topic}/{partition.partition} begins at {offset}")
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
