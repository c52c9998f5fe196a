"""Plays the plan day by day, with two stops of the clock a day, each until all has settled.

At 03:00 UTC, 10:00 in Jakarta, time does its work: sweeps, reminders, greetings. At the day's end it does so
again, and only then the day's baskets go out. Days on which nobody comes have their stops too.
"""

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
MORNING = 3 * 3600  # seconds after 00:00 UTC


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
        """Play every day from the first of the plan to the last, and the morning after."""
        for day in range(min(plan), max(plan) + 1):
            self._progress.day = f"{datetime.fromtimestamp(day * DAY, UTC):%-d %B %Y}"
            await self._stop(day * DAY + MORNING)
            await self._stop((day + 1) * DAY)
            if day in plan:
                await self._sell(plan[day])
            if len(self._journal.surprises) > MOST_SURPRISES:
                raise TooManySurprises("\n".join(self._journal.surprises[:10]))
        await self._stop((max(plan) + 1) * DAY + MORNING)

    async def _stop(self, at: int) -> None:
        """Move the clock, and wait until time has done its work."""
        self._stack.clock.move(datetime.fromtimestamp(at, UTC))
        self._journal.stop(at)
        self._progress.stops += 1
        await self._settle()

    async def _sell(self, visits: Mapping[int, Visit]) -> None:
        """Serve all customers of a day, and wait until what follows from it has happened."""
        started = time.monotonic()
        # Whoever stays longest comes first, or the day would end with one customer at one till.
        ordered = sorted(visits.items(), key=lambda pair: -pair[1].length)
        await asyncio.gather(*(self._serve(household, visit) for household, visit in ordered))
        self._progress.sending_seconds += time.monotonic() - started
        await self._settle()

    async def _settle(self) -> None:
        started = time.monotonic()
        await self._stack.settled()
        self._progress.settling_seconds += time.monotonic() - started

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
