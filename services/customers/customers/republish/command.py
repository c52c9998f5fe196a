"""`python -m customers republish --from --to`: what a restored loyalty, credit or notify has not heard."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from customers.events import TOPIC
from customers.profiles.store import lock
from customers.republish.facts import PAGE, Span, facts
from kit import db
from kit.batch import once
from kit.errors import InvalidArgument
from kit.events import Outgoing, publish
from kit.events.outbox import backlog
from kit.operate import Command, instant
from kit.runtime import Runtime

# So much may wait in the outbox before the next page: sales that are made meanwhile stay in time.
_WAITING_MAX = 2_000
_PAUSE_S = 0.2


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="from_time", required=True, type=instant, help="received since then")
    parser.add_argument("--to", dest="to_time", required=True, type=instant, help="received before then")
    parser.add_argument("--merchant", default="", help="this one alone; all unless given")


async def _run(arguments: argparse.Namespace, runtime: Runtime[Any]) -> int:
    span = Span(arguments.from_time, arguments.to_time, arguments.merchant)
    if span.from_time >= span.to_time:
        raise InvalidArgument("--from must lie before --to", reason="INVALID_SPAN")
    total = await republish(await runtime.pool(), span)
    print(f"{total} events of {span.from_time.isoformat()} to {span.to_time.isoformat()} are in the outbox")
    return 0


async def republish(pool: db.Pool, span: Span) -> int:
    """Write the events of a span into the outbox again; returns how many. Broken off, it may be repeated."""
    total = 0
    page: list[Outgoing] = []
    async for fact in facts(pool, span):
        page.append(fact)
        if len(page) == PAGE:
            total += await _write(pool, page)
            page = []
    return total + (await _write(pool, page) if page else 0)


async def _write(pool: db.Pool, page: list[Outgoing]) -> int:
    await _room(pool, page[0].time)
    await once(pool, _publish, page)
    return len(page)


async def _publish(conn: db.Conn, pages: Sequence[Sequence[Outgoing]], wait: bool) -> list[None]:
    """One page in one transaction, under the locks of its customers, so that ids follow order."""
    del wait
    for page in pages:
        await lock(conn, sorted({(event.merchant_id, event.key) for event in page}))
        await publish(conn, TOPIC, page)
    return [None for _ in pages]


async def _room(pool: db.Pool, at: datetime) -> None:
    """Wait until the relay has sent most of what is there."""
    said = False
    while True:
        async with pool.acquire(timeout=5) as conn:
            waiting = (await backlog(conn)).depth
        if waiting <= _WAITING_MAX:
            return
        if not said:
            print(
                f"{waiting} events wait for the relay; going on from {at.isoformat()} when it has sent them"
            )
            said = True
        await asyncio.sleep(_PAUSE_S)


COMMAND = Command("republish", "make the events of a span of time again", _arguments, _run)
