"""ExportService: streams every row of a customer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from kit import auth, db, export
from kit.ids import check_customer_id
from langganan.loyalty.v1 import exports_pb2, exports_pb2_grpc
from loyalty.exports.tables import TABLES


class ExportService(exports_pb2_grpc.ExportServiceServicer):
    """What this service keeps of a customer."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def ExportCustomer(
        self, request: exports_pb2.ExportCustomerRequest, context: Any
    ) -> AsyncIterator[exports_pb2.ExportCustomerResponse]:
        """Stream all rows, table by table."""
        merchant_id, customer_id = auth.caller().merchant_id, check_customer_id(request.customer_id)
        async for batch in export.batches(self._pool, TABLES, merchant_id, customer_id):
            records = [exports_pb2.ExportRecord(kind=kind, json=text) for kind, text in batch]
            yield exports_pb2.ExportCustomerResponse(records=records)
