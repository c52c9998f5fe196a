"""BookingService: what was noted and what the ledger says, side by side."""

from __future__ import annotations

from typing import Any

from kit import auth, db
from kit.ids import canonical_uuid, check_customer_id
from langganan.loyalty.v1 import bookings_pb2 as pb
from langganan.loyalty.v1 import bookings_pb2_grpc

_queries = db.load(__file__)


class BookingService(bookings_pb2_grpc.BookingServiceServicer):
    """Answers whoever reconciles."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def ListBookings(self, request: pb.ListBookingsRequest, context: Any) -> pb.ListBookingsResponse:
        """List what was booked, of one moment."""
        merchant_id = auth.caller().merchant_id
        bought = [(check_customer_id(r.customer_id), _id(r.purchase_id)) for r in request.purchases]
        back = [(r.customer_id, _id(id_)) for r in request.purchases for id_ in r.return_ids]
        found: dict[str, pb.Booking] = {}
        async with (
            self._pool.acquire(timeout=5) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            async for row in _queries.bookings(
                conn,
                merchant_id=merchant_id,
                customer_ids=[c for c, _ in bought],
                purchase_ids=[p for _, p in bought],
            ):
                values = {**row, "purchase_id": str(row["purchase_id"])}
                found[values["purchase_id"]] = pb.Booking(**values)
            async for row in _queries.returns(
                conn,
                merchant_id=merchant_id,
                customer_ids=[c for c, _ in back],
                return_ids=[r for _, r in back],
            ):
                values = {**row, "return_id": str(row["return_id"])}
                purchase = found.get(str(values.pop("purchase_id")))
                if purchase is not None:
                    purchase.returns.add(**values)
        return pb.ListBookingsResponse(bookings=found.values())


def _id(value: str) -> str:
    return canonical_uuid(value, "purchases")
