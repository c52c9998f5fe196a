"""Waits from outside until a stack has done all that follows from a replay, then checks that it stays so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from local.demo.compare import compare_exceptions
from local.demo.compare.credit import compare_credit
from local.demo.compare.found import Found
from local.demo.compare.messages import compare_messages
from local.demo.compare.points import compare_points
from local.demo.compare.purchases import compare_lines, compare_purchases
from local.demo.gateway import Gateway
from local.demo.journal import SaleDone
from local.demo.oracle.fold import Oracle
from local.replay.customer import Customer

AT_ONCE = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0  # seconds between two looks at a customer
STAYS = 5.0  # seconds after which all is compared once more: what is done twice shows late


class Reconciliation:
    """Compares every customer and every anonymous sale with the oracle."""

    def __init__(self, gateway: Gateway, oracle: Oracle, customers: Sequence[Customer]) -> None:
        self._gateway, self._oracle, self._customers = gateway, oracle, customers
        self._anonymous: list[SaleDone] = [sale for one in customers for sale in one.diary.anonymous]
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.settled_seconds = 0.0

    async def run(self, seconds: float) -> Found:
        """Compare until nothing differs or the time is over, and once more when it has stayed so."""
        started = time.monotonic()
        found = await self._pass(started + seconds)
        self.settled_seconds = time.monotonic() - started
        if not found.differences:
            await asyncio.sleep(STAYS)
            found = await self._pass(0.0)
        await compare_exceptions(self._gateway, found)
        return found

    async def _pass(self, deadline: float) -> Found:
        """Look at everyone until they are as they must be, or until the deadline (monotonic seconds)."""
        whole = Found()
        parts = await asyncio.gather(*(self._until_equal(one, deadline) for one in self._customers))
        for part in parts:
            whole.add(part)
        await asyncio.gather(*(self._compare_anonymous(whole, sale) for sale in self._anonymous))
        whole.purchases += len(self._anonymous)
        return whole

    async def _compare_anonymous(self, found: Found, sale: SaleDone) -> None:
        async with self._gate:
            await compare_lines(self._gateway, found, "", self._oracle.purchase(sale))

    async def _until_equal(self, customer: Customer, deadline: float) -> Found:
        pause = FIRST_PAUSE
        while True:
            async with self._gate:
                found = await self._compare(customer)
            if not found.differences or time.monotonic() > deadline:
                return found
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _compare(self, customer: Customer) -> Found:
        """Fold the customer's journal anew, and compare what each service holds."""
        gateway, found = self._gateway, Found()
        books = self._oracle.books(customer.household, customer.customer_id, customer.zone, customer.diary)
        found.differences += [f"{customer.customer_id}: {complaint}" for complaint in books.complaints]
        await compare_purchases(gateway, found, books, 1)
        await compare_points(gateway, found, books, None)
        if books.credit:
            await compare_credit(gateway, found, books, books.credit, None, int(time.time()))
        await compare_messages(gateway, found, books)
        return found
