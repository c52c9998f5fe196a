"""An export of a person: what customers knows first, then the others, one batch in hand at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime

from customers.exports.others import Batch, Others
from customers.exports.own import Own
from customers.vault.read import Reader
from langganan.customers.v1 import exports_pb2


class Exports:
    """Puts the exports of all four services together."""

    def __init__(self, own: Own, others: Others) -> None:
        self._own, self._others = own, others

    async def answers(
        self, customer_id: str, who: Reader, reason: str, now: datetime
    ) -> AsyncIterator[exports_pb2.ExportCustomerResponse]:
        """Yield answers of the stream; it ends only when all services have said all."""
        async with aclosing(self._own.batches(customer_id, who, reason, now)) as own:  # type: ignore[type-var]
            async for batch in own:
                yield _answer("customers", batch)
        async with aclosing(self._others.batches(who.merchant_id, customer_id)) as others:  # type: ignore[type-var]
            async for service, batch in others:
                yield _answer(service, batch)


def _answer(service: str, batch: Batch) -> exports_pb2.ExportCustomerResponse:
    records = [exports_pb2.ExportRecord(service=service, kind=kind, json=text) for kind, text in batch]
    return exports_pb2.ExportCustomerResponse(records=records)
