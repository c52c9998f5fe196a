"""Measures from time to time how long a purchase takes to become points, as a customer would see it."""

from __future__ import annotations

import asyncio
import time
from array import array

from langganan.loyalty.v1 import accounts_pb2
from local.demo.gateway import Gateway

EVERY = 40  # sales between two probes
POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 30.0
NEWEST = 10  # entries that are looked at


class Probe:
    """Watches one purchase at a time, from its answer until its points are in the ledger."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sales = 0
        self._watching: asyncio.Task[None] | None = None
        self.seconds: array[float] = array("d")

    def sold(self, customer_id: str, purchase_id: str) -> None:
        """Tell of a sale that earns points; one in so many is watched."""
        self._sales += 1
        if self._sales % EVERY == 0 and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch(customer_id, purchase_id, time.monotonic()))

    async def _watch(self, customer_id: str, purchase_id: str, since: float) -> None:
        request = accounts_pb2.ListEntriesRequest(customer_id=customer_id, page_size=NEWEST)
        while time.monotonic() - since < GIVE_UP_SECONDS:
            reply = await self._gateway.call("ListEntries", self._gateway.points.ListEntries, request)
            if any(entry.purchase_id == purchase_id for entry in reply.entries):
                break
            await asyncio.sleep(POLL_SECONDS)
        self.seconds.append(time.monotonic() - since)

    async def close(self) -> None:
        """Wait for the last watch."""
        if self._watching is not None:
            await self._watching
