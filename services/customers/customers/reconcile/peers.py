"""What loyalty and credit booked, asked of each as a service, a page of sales of one merchant at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import grpc.aio

from customers.peers import Peer, PeerUnavailable
from customers.reconcile.model import AtCredit, AtLoyalty, Points, Sold
from langganan.credit.v1 import bookings_pb2 as credit_pb2
from langganan.credit.v1 import bookings_pb2_grpc as credit_grpc
from langganan.loyalty.v1 import bookings_pb2 as loyalty_pb2
from langganan.loyalty.v1 import bookings_pb2_grpc as loyalty_grpc

Answer = TypeVar("Answer")


class Booked:
    """Clients of BookingService of both; raise PEER_UNAVAILABLE."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._loyalty, self._credit = peers["loyalty"], peers["credit"]
        self._at_loyalty: loyalty_grpc.BookingServiceAsyncStub = loyalty_grpc.BookingServiceStub(
            self._loyalty.channel
        )
        self._at_credit: credit_grpc.BookingServiceAsyncStub = credit_grpc.BookingServiceStub(
            self._credit.channel
        )

    async def at_loyalty(self, merchant_id: str, page: Sequence[Sold]) -> dict[str, AtLoyalty]:
        """Return what loyalty booked, by purchase; absent: nothing."""
        refs = [
            loyalty_pb2.BookingRef(
                purchase_id=s.purchase_id,
                customer_id=s.customer_id,
                return_ids=[b.return_id for b in s.returns],
            )
            for s in page
            if s.customer_id
        ]
        if not refs:
            return {}
        request = loyalty_pb2.ListBookingsRequest(purchases=refs)
        answer = await _ask(
            self._loyalty,
            lambda: self._at_loyalty.ListBookings(
                request, timeout=self._loyalty.timeout_s, metadata=self._loyalty.metadata(merchant_id)
            ),
        )
        return {
            b.purchase_id: AtLoyalty(
                Points(b.points, b.entries_earned),
                Points(b.redeemed, b.entries_redeemed),
                {
                    r.return_id: (
                        Points(r.taken_back, r.entries_taken_back),
                        Points(r.restored, r.entries_restored),
                    )
                    for r in b.returns
                },
            )
            for b in answer.bookings
        }

    async def at_credit(self, merchant_id: str, page: Sequence[Sold]) -> dict[str, dict[str, AtCredit]]:
        """Return what credit booked, by purchase and tender; absent: nothing."""
        refs = [
            credit_pb2.BookingRef(
                purchase_id=s.purchase_id, customer_id=payer, return_ids=[b.return_id for b in s.returns]
            )
            for s in page
            for payer in sorted({t.payer for t in s.on_account})
        ]
        found: dict[str, dict[str, AtCredit]] = {}
        # A sale may have tenders of several accounts, so a page of sales may be more than one question.
        for start in range(0, len(refs), _REFS_MAX):
            request = credit_pb2.ListBookingsRequest(purchases=refs[start : start + _REFS_MAX])
            answer = await self._ask_credit(merchant_id, request)
            for b in answer.bookings:
                returns = {r.return_id: (r.entries_returned, r.surplus) for r in b.returns}
                booked = AtCredit(b.amount, b.entries_charged, b.exception, returns)
                found.setdefault(b.purchase_id, {})[b.tender_id] = booked
        return found

    async def _ask_credit(
        self, merchant_id: str, request: credit_pb2.ListBookingsRequest
    ) -> credit_pb2.ListBookingsResponse:
        return await _ask(
            self._credit,
            lambda: self._at_credit.ListBookings(
                request, timeout=self._credit.timeout_s, metadata=self._credit.metadata(merchant_id)
            ),
        )


_REFS_MAX = 200


async def _ask(peer: Peer, call: Callable[[], Awaitable[Answer]]) -> Answer:
    try:
        return await call()
    except grpc.aio.AioRpcError as error:
        raise PeerUnavailable(peer.name, error.code().name) from error
