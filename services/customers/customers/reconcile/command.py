"""`python -m customers reconcile [--day]`: the only thing that finds an event lost between services."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from customers.peers import open_peers
from customers.reconcile.model import Sold, compare_credit, compare_here, compare_loyalty
from customers.reconcile.peers import Booked
from customers.reconcile.store import sold
from kit import db
from kit.audit import Difference, Outcome, note
from kit.operate import Command
from kit.runtime import Runtime

NAME = "reconcile"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--day", type=date.fromisoformat, help="UTC, by the time received; yesterday unless given"
    )
    parser.add_argument("--show", type=int, default=20, help="differences to print; all are counted")


async def _run(arguments: argparse.Namespace, runtime: Runtime[Any]) -> int:
    started = datetime.now(UTC)
    day: date = arguments.day or (runtime.clock.now() - timedelta(days=1)).date()
    pool, peers = await runtime.pool(), open_peers(runtime.settings)
    try:
        outcome = await reconcile(pool, Booked(peers), day)
    finally:
        for peer in peers.values():
            await peer.close()
    await note(pool, NAME, started, outcome)
    for difference in outcome.first[: arguments.show]:
        print(json.dumps(asdict(difference)))
    print(f"looked at {outcome.looked_at} sales of {day}, found {outcome.differences} differences")
    return 1 if outcome.differences else 0


async def reconcile(pool: db.Pool, booked: Booked, day: date) -> Outcome:
    """Compare the sales and returns that were received on a day with what was booked of them.

    What is received in the very moment is not booked yet: give a day that is over.
    """
    from_time = datetime.combine(day, time(), UTC)
    outcome = Outcome()
    async for page in sold(pool, from_time, from_time + timedelta(days=1)):
        ordered = sorted(page, key=lambda s: s.merchant_id)
        for merchant_id, of_merchant in groupby(ordered, lambda s: s.merchant_id):
            outcome.add(await _compare(booked, merchant_id, list(of_merchant)))
        outcome.looked_at += len(page)
    return outcome


async def _compare(booked: Booked, merchant_id: str, page: Sequence[Sold]) -> list[Difference]:
    at_loyalty = await booked.at_loyalty(merchant_id, page)
    at_credit = await booked.at_credit(merchant_id, page)
    return [
        difference
        for sale in page
        for difference in (
            *compare_here(sale),
            *compare_loyalty(sale, at_loyalty.get(sale.purchase_id)),
            *compare_credit(sale, at_credit.get(sale.purchase_id, {})),
        )
    ]


COMMAND = Command(NAME, "compare a day's sales with what loyalty and credit booked", _arguments, _run)
