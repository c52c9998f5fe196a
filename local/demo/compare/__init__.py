"""Asks the services what they hold of every customer, and lists where it is not what the oracle says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from langganan.credit.v1 import invoices_pb2
from langganan.customers.v1 import purchases_pb2
from langganan.loyalty.v1 import redemptions_pb2
from local.demo.compare.credit import compare_credit
from local.demo.compare.found import Found
from local.demo.compare.messages import compare_messages
from local.demo.compare.points import compare_points
from local.demo.compare.purchases import compare_lines, compare_purchases
from local.demo.gateway import Gateway
from local.demo.heard import Heard
from local.demo.journal import Journal
from local.demo.oracle.books import Purchase
from local.demo.oracle.fold import Oracle

AT_ONCE = 16
# Above so many baskets only returned purchases and one in ten of the others are read line by line.
READ_ALL = 5_000


class Comparison:
    """Compares one run."""

    def __init__(
        self, gateway: Gateway, oracle: Oracle, journal: Journal, heard: Heard, baskets: int
    ) -> None:
        self._gateway = gateway
        self._oracle = oracle
        self._journal = journal
        self._heard = heard
        self._every = 1 if baskets <= READ_ALL else 10
        self.found = Found(differences=[*journal.surprises, *gateway.different])

    async def run(self, homes: Mapping[int, str]) -> Found:
        """Compare every customer (household → zone of the home store) and every anonymous sale."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def customer(household: int, customer_id: str) -> None:
            async with gate:
                await self._compare(household, customer_id, homes[household])

        async def anonymous(purchase: Purchase) -> None:
            async with gate:
                await compare_lines(self._gateway, self.found, "", purchase)

        await asyncio.gather(*(customer(*pair) for pair in self._journal.customers.items()))
        sales = self._journal.anonymous[:: self._every]
        await asyncio.gather(*(anonymous(self._oracle.purchase(sale)) for sale in sales))
        self.found.purchases += len(self._journal.anonymous)
        await compare_exceptions(self._gateway, self.found)
        return self.found

    async def _compare(self, household: int, customer_id: str, zone: str) -> None:
        books = self._oracle.books(household, customer_id, zone, self._journal)
        gateway, found, heard = self._gateway, self.found, self._heard
        for complaint in books.complaints:
            found.differences.append(f"{customer_id}: {complaint}")
        await compare_purchases(gateway, found, books, self._every)
        await compare_points(gateway, found, books, heard)
        if books.credit:
            await compare_credit(gateway, found, books, books.credit, heard, self._journal.stops[-1])
        await compare_messages(gateway, found, books)


async def compare_exceptions(gateway: Gateway, found: Found) -> None:
    """Nothing that the tills did was against a rule, so nothing may be listed for staff."""
    listed = [
        *(
            await gateway.call(
                "ListExceptions", gateway.purchases.ListExceptions, purchases_pb2.ListExceptionsRequest()
            )
        ).exceptions,
        *(
            await gateway.call(
                "ListExceptions",
                gateway.redemptions.ListExceptions,
                redemptions_pb2.ListExceptionsRequest(),
            )
        ).exceptions,
        *(
            await gateway.call(
                "ListExceptions", gateway.invoices.ListExceptions, invoices_pb2.ListExceptionsRequest()
            )
        ).exceptions,
    ]
    for one in listed:
        found.differences.append(f"listed for staff: {str(one).replace(chr(10), ' ')}")
