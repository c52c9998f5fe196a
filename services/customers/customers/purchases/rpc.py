"""PurchaseService: decode, record or read, encode."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from customers import instants
from customers.merchants.store import Shops
from customers.purchases import decode, encode, exceptions, listing, returning, returns_decode, standing
from customers.purchases.recording import Recorded, Recorder
from kit import auth, batch, db, ids, paging
from kit.clock import Clock
from kit.money import Currency
from langganan.customers.v1 import purchases_pb2 as pb
from langganan.customers.v1.purchases_pb2_grpc import PurchaseServiceServicer

OVERRIDE = "purchases.refund_override"


class Currencies:
    """The currency of each merchant; fixed by the first SetMerchant, so it is asked for once."""

    def __init__(self, pool: db.Pool, shops: Shops, clock: Clock) -> None:
        self._pool, self._shops, self._clock = pool, shops, clock
        self._known: dict[str, Currency] = {}

    async def of(self, merchant_id: str) -> Currency:
        """Return a merchant's currency; raises MERCHANT_NOT_SET."""
        known = self._known.get(merchant_id)
        if known is None:
            async with self._pool.acquire(timeout=5) as conn:
                shop = await self._shops.one(conn, merchant_id, "", self._clock.now())
            known = self._known[merchant_id] = shop.currency
        return known


class PurchaseService(PurchaseServiceServicer):
    """Records what was sold and taken back, and answers for it."""

    def __init__(
        self, pool: db.Pool, clock: Clock, shops: Shops, batcher: batch.Batcher[decode.Sale, Recorded]
    ) -> None:
        self._pool, self._clock, self._batcher = pool, clock, batcher
        self._currencies = Currencies(pool, shops, clock)
        self._returner = returning.Returner(shops)

    async def RecordPurchase(
        self, request: pb.RecordPurchaseRequest, context: Any
    ) -> pb.RecordPurchaseResponse:
        """Record a finished sale."""
        merchant_id = auth.caller().merchant_id
        currency = await self._currencies.of(merchant_id)
        sale = decode.sale(request, merchant_id, currency, self._clock.now())
        return encode.recorded(sale, await self._batcher.submit(sale))

    async def QuoteReturn(self, request: pb.QuoteReturnRequest, context: Any) -> pb.QuoteReturnResponse:
        """Say what RecordReturn would decide now."""
        who = auth.caller()
        currency = await self._currencies.of(who.merchant_id)
        terms = returns_decode.terms(request, who.merchant_id, currency, override=OVERRIDE in who.scopes)
        async with self._pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read"):
            quoted = await returning.quote(conn, terms)
        return pb.QuoteReturnResponse(quote=encode.purchase_return(quoted))

    async def RecordReturn(self, request: pb.RecordReturnRequest, context: Any) -> pb.RecordReturnResponse:
        """Take back a part or all of a purchase."""
        who = auth.caller()
        currency = await self._currencies.of(who.merchant_id)
        asked = returns_decode.a_return(
            request, who.merchant_id, currency, self._clock.now(), override=OVERRIDE in who.scopes
        )
        returned = await batch.once(self._pool, self._returner.record, asked)
        return pb.RecordReturnResponse(purchase_return=encode.purchase_return(returned))

    async def GetPurchase(self, request: pb.GetPurchaseRequest, context: Any) -> pb.GetPurchaseResponse:
        """Get a purchase as it stands."""
        ids.canonical_uuid(request.purchase_id, "purchase_id")
        if request.customer_id:
            ids.check_customer_id(request.customer_id)
        merchant_id = auth.caller().merchant_id
        async with self._pool.acquire(timeout=5) as conn, conn.transaction(isolation="repeatable_read"):
            await standing.owner_of(conn, merchant_id, request.purchase_id, request.customer_id)
            now = await standing.standing(conn, merchant_id, request.purchase_id)
        return pb.GetPurchaseResponse(purchase=encode.purchase(now))

    async def ListPurchases(self, request: pb.ListPurchasesRequest, context: Any) -> pb.ListPurchasesResponse:
        """List purchases, newest first."""
        if request.customer_id:
            ids.check_customer_id(request.customer_id)
        wanted = listing.Filter(
            merchant_id=auth.caller().merchant_id,
            customer_id=request.customer_id,
            receipt_number=request.receipt_number,
            store_id=request.store_id,
            from_time=_bound(request, "from_time", listing.EARLIEST),
            to_time=_bound(request, "to_time", listing.LATEST),
        )
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            rows, token = await listing.page(conn, wanted, request.page_token, size)
        return pb.ListPurchasesResponse(purchases=[encode.listed(r) for r in rows], next_page_token=token)

    async def ListExceptions(
        self, request: pb.ListExceptionsRequest, context: Any
    ) -> pb.ListExceptionsResponse:
        """List what staff should look at, newest first."""
        merchant_id = auth.caller().merchant_id
        bound = (merchant_id, request.include_resolved, request.store_id)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            rows = await exceptions.page(
                conn,
                merchant_id,
                store_id=request.store_id,
                include_resolved=request.include_resolved,
                before=paging.before(request.page_token, *bound),
                size=size + 1,
            )
        return pb.ListExceptionsResponse(
            exceptions=[encode.exception(r) for r in rows[:size]],
            next_page_token=paging.next_token(
                rows, size, lambda row: (row["noticed_at"], str(row["exception_id"])), *bound
            ),
        )

    async def ResolveException(
        self, request: pb.ResolveExceptionRequest, context: Any
    ) -> pb.ResolveExceptionResponse:
        """Note how an exception was dealt with."""
        asked = exceptions.Resolve(
            merchant_id=auth.caller().merchant_id,
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            exception_id=ids.canonical_uuid(request.exception_id, "exception_id"),
            resolution=pb.ResolutionKind.Name(request.kind).removeprefix("RESOLUTION_KIND_"),
            staff_ref=request.staff_ref,
            now=self._clock.now(),
        )
        row = await batch.once(self._pool, exceptions.resolve, asked)
        return pb.ResolveExceptionResponse(exception=encode.exception(row))


def _bound(request: pb.ListPurchasesRequest, name: str, default: datetime) -> datetime:
    if not request.HasField(name):  # type: ignore[arg-type]
        return default
    stamp: Timestamp = getattr(request, name)
    return instants.instant_if_any(stamp) or default


def build(
    pool: db.Pool, clock: Clock, shops: Shops, *, max_batch: int, max_queue: int
) -> tuple[PurchaseService, batch.Batcher[decode.Sale, Recorded]]:
    """Wire the feature; the batcher is to be drained when the process ends."""
    batcher = batch.Batcher[decode.Sale, Recorded](
        "record-purchase",
        pool,
        Recorder(shops).record,
        # An anonymous sale locks nothing but itself.
        key=lambda s: (s.merchant_id, s.customer_id or s.purchase_id),
        merchant=lambda s: s.merchant_id,
        max_batch=max_batch,
        max_queue=max_queue,
    )
    return PurchaseService(pool, clock, shops, batcher), batcher
