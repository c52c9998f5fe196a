"""Plays the plan day by day: the clock stands at a day's end while its baskets go out, then all settles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import grpc

from local.demo.baskets import Baskets
from local.demo.gateway import Gateway
from local.demo.journal import Journal
from local.demo.messages import Ids
from local.demo.people import Person
from local.demo.probe import Probe
from local.demo.progress import Progress
from local.demo.script import DAY, Plan, Visit
from local.demo.visit import Till
from local.stack import Stack

AT_ONCE = 20  # customers who are served at the same time
MOST_SURPRISES = 50


class TooManySurprises(Exception):
    """The run makes no sense any more; the message has the first surprises."""


class Driver:
    """Plays visits, parallel across customers, in order for each."""

    def __init__(
        self,
        stack: Stack,
        gateway: Gateway,
        baskets: Baskets,
        people: Mapping[int, Person],
        journal: Journal,
        progress: Progress,
        ids: Ids,
        probe: Probe,
    ) -> None:
        self._stack = stack
        self._people = people
        self._journal = journal
        self._progress = progress
        self._till = Till(gateway, ids, baskets, journal, progress, probe)
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def play(self, plan: Plan) -> None:
        """Play every day of the plan; days on which nobody comes take no time."""
        for day, visits in plan.items():
            end = datetime.fromtimestamp((day + 1) * DAY, UTC)
            self._stack.clock.move(end)
            self._progress.day = f"{datetime.fromtimestamp(day * DAY, UTC):%-d %B %Y}"
            started = time.monotonic()
            # Whoever stays longest comes first, or the day would end with one customer at one till.
            ordered = sorted(visits.items(), key=lambda pair: -pair[1].length)
            await asyncio.gather(*(self._serve(household, visit) for household, visit in ordered))
            sent = time.monotonic()
            self._progress.sending_seconds += sent - started
            await self._stack.settled()
            self._progress.settling_seconds += time.monotonic() - sent
            if len(self._journal.surprises) > MOST_SURPRISES:
                raise TooManySurprises("\n".join(self._journal.surprises[:10]))

    async def _serve(self, household: int, visit: Visit) -> None:
        """Serve one customer; a refusal ends the visit and is a difference, for nothing may be refused."""
        customer_id = self._journal.customers[household]
        person = self._people[household]
        async with self._gate:
            try:
                for pay in visit.pays:
                    await self._till.take_payment(pay, household, customer_id)
                for sale in visit.sales:
                    await self._till.sell(sale, person, customer_id)
                for back in visit.returns:
                    await self._till.give_back(back, customer_id)
            except grpc.aio.AioRpcError as error:
                self._journal.surprises.append(f"{customer_id}: {error.code().name}: {error.details()}")
