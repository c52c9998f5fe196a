"""ExportService: streams every row of a customer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.callers import account_key
from credit.exports.tables import TABLES
from kit import db, export
from langganan.credit.v1 import exports_pb2, exports_pb2_grpc


class ExportService(exports_pb2_grpc.ExportServiceServicer):
    """What this service keeps of a customer."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def ExportCustomer(
        self, request: exports_pb2.ExportCustomerRequest, context: Any
    ) -> AsyncIterator[exports_pb2.ExportCustomerResponse]:
        """Stream all rows, table by table."""
        for key in await self._family(account_key(request.customer_id)):
            async for batch in export.batches(self._pool, TABLES, *key):
                records = [exports_pb2.ExportRecord(kind=kind, json=text) for kind, text in batch]
                yield exports_pb2.ExportCustomerResponse(records=records)

    async def _family(self, asked: Key) -> list[Key]:
        """Return the customer, or the survivor, and whoever was merged into that: one person."""
        async with self._pool.acquire(timeout=5) as conn:
            owner = (await accounts.read(conn, [asked])).get(asked)
            return [asked] if owner is None else [owner.key, *await accounts.aliases(conn, owner.key)]
