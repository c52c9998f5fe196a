"""BookingService: invoices, and what the ledger says of them, side by side."""

from __future__ import annotations

from typing import Any

from credit.accounts import store as accounts
from credit.accounts.model import Key
from kit import auth, db
from kit.ids import canonical_uuid, check_customer_id
from langganan.credit.v1 import bookings_pb2 as pb
from langganan.credit.v1 import bookings_pb2_grpc

_queries = db.load(__file__)
_IDS = ("purchase_id", "invoice_id")


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
            owners = await accounts.read(conn, {Key(merchant_id, c) for c, _ in bought})
            owner = {key.customer_id: account.customer_id for key, account in owners.items()}
            # Of somebody who was merged, and of the survivor, one purchase may be asked about twice.
            bought = list(dict.fromkeys((owner.get(c, c), p) for c, p in bought))
            back = list(dict.fromkeys((owner.get(c, c), r) for c, r in back))
            returned: dict[str, Any] = {
                "merchant_id": merchant_id,
                "customer_ids": [c for c, _ in back],
                "return_ids": [r for _, r in back],
            }
            async for row in _queries.bookings(
                conn,
                merchant_id=merchant_id,
                customer_ids=[c for c, _ in bought],
                purchase_ids=[p for _, p in bought],
            ):
                booking = pb.Booking(**{**row, **{name: str(row[name]) for name in _IDS}})
                found[booking.invoice_id] = booking
            for query in (_queries.returns, _queries.surpluses):
                async for row in query(conn, **returned):
                    _add(found, dict(row))
        return pb.ListBookingsResponse(bookings=found.values())


def _add(found: dict[str, pb.Booking], row: dict[str, Any]) -> None:
    """Put what a return gave back, or could not, to its invoice."""
    booking = found.get(str(row.pop("invoice_id")))
    if booking is None:
        return
    row["return_id"] = str(row["return_id"])
    for known in booking.returns:
        if known.return_id == row["return_id"]:
            known.MergeFrom(pb.ReturnBooking(**row))
            return
    booking.returns.add(**row)


def _id(value: str) -> str:
    return canonical_uuid(value, "purchases")
