"""HoldService: authorises on-account sales at the till."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from credit.accounts import encode
from credit.accounts import store as accounts
from credit.callers import account_key, till
from credit.errors import HoldNotFound
from credit.holds import encoding, store
from credit.holds.authorize import Ask, Decided, authorize
from credit.holds.capture import Take, capture
from credit.holds.extend import Longer, extend
from credit.holds.model import HoldKey
from credit.holds.stream import SHAPE
from credit.holds.void import Give, void
from credit.policies.store import Policies
from kit import batch, db, ids
from kit.clock import Clock
from kit.money import InvalidMoney
from kit.rpc import takes_items
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc

Authorizer = batch.Batcher[Ask, Decided]


def authorizer(pool: db.Pool, policies: Policies, max_batch: int, max_queue: int) -> Authorizer:
    """The batches in which Authorize runs."""
    return batch.Batcher(
        "authorize",
        pool,
        partial(authorize, policies),
        key=lambda ask: ask.key,
        merchant=lambda ask: ask.key.merchant_id,
        max_batch=max_batch,
        max_queue=max_queue,
    )


class HoldService(holds_pb2_grpc.HoldServiceServicer):
    """The servicer; Authorize, single or streamed, shares batches, all else has transactions of its own."""

    def __init__(self, pool: db.Pool, clock: Clock, batcher: Authorizer, ttl: timedelta) -> None:
        self._pool, self._clock, self._batcher, self._ttl = pool, clock, batcher, ttl

    async def Authorize(
        self, request: holds_pb2.AuthorizeRequest, context: Any
    ) -> holds_pb2.AuthorizeResponse:
        """Approve and keep aside, or decline with a sentence."""
        ask = self._ask(request)
        return _decided(ask, await self._batcher.submit(ask))

    @takes_items(SHAPE)
    def StreamAuthorize(
        self, request: holds_pb2.AuthorizeRequest, until: float | None
    ) -> tuple[Future[Decided], Callable[[Decided], holds_pb2.AuthorizeResponse]]:
        """Authorize for one item of a stream, in the same batches."""
        ask = self._ask(request)
        return self._batcher.enqueue(ask, until), partial(_decided, ask)

    def _ask(self, request: holds_pb2.AuthorizeRequest) -> Ask:
        amount = request.amount
        if amount.units < 0 or amount.nanos < 0 or not (amount.units or amount.nanos):
            raise InvalidMoney("amount must be more than zero", field="amount")
        return Ask(
            key=account_key(request.customer_id),
            hold_id=ids.canonical_uuid(request.hold_id, "hold_id"),
            amount=amount,
            ttl=request.ttl.ToTimedelta() if request.HasField("ttl") else None,
            usual_ttl=self._ttl,
            till=till(request.origin, request.recognised_by),
            at=self._clock.now(),
            dry_run=request.dry_run,
        )

    async def Capture(self, request: holds_pb2.CaptureRequest, context: Any) -> holds_pb2.CaptureResponse:
        """Charge a hold without a purchase."""
        take = Take(
            key=account_key(request.customer_id),
            hold_id=ids.canonical_uuid(request.hold_id, "hold_id"),
            amount=request.amount if request.HasField("amount") else None,
            till=till(request.origin),
            at=self._clock.now(),
        )
        decided = await batch.once(self._pool, capture, take)
        return holds_pb2.CaptureResponse(hold=encoding.hold(decided.hold, decided.account))

    async def Void(self, request: holds_pb2.VoidRequest, context: Any) -> holds_pb2.VoidResponse:
        """Give a hold back, or remember that it is not to be."""
        give = Give(
            key=account_key(request.customer_id),
            hold_id=ids.canonical_uuid(request.hold_id, "hold_id"),
            till=till(request.origin),
            at=self._clock.now(),
        )
        decided = await batch.once(self._pool, void, give)
        return holds_pb2.VoidResponse(hold=encoding.hold(decided.hold, decided.account))

    async def ExtendHold(
        self, request: holds_pb2.ExtendHoldRequest, context: Any
    ) -> holds_pb2.ExtendHoldResponse:
        """Keep a pending hold for longer."""
        longer = Longer(
            key=account_key(request.customer_id),
            hold_id=ids.canonical_uuid(request.hold_id, "hold_id"),
            ttl=request.ttl.ToTimedelta(),
            till=till(request.origin),
        )
        decided = await batch.once(self._pool, extend, longer)
        return holds_pb2.ExtendHoldResponse(hold=encoding.hold(decided.hold, decided.account))

    async def GetHold(self, request: holds_pb2.GetHoldRequest, context: Any) -> holds_pb2.GetHoldResponse:
        """Tell a hold."""
        key = account_key(request.customer_id)
        hold_key = HoldKey(key.merchant_id, ids.canonical_uuid(request.hold_id, "hold_id"))
        async with self._pool.acquire(timeout=5) as conn:
            hold = (await store.read(conn, [hold_key])).get(hold_key)
            account = (await accounts.read(conn, [key])).get(key)
        if hold is None or account is None or hold.account_key != account.key:
            raise HoldNotFound(request.hold_id)
        return holds_pb2.GetHoldResponse(hold=encoding.hold(hold, account))


def _decided(ask: Ask, decided: Decided) -> holds_pb2.AuthorizeResponse:
    account = decided.account
    return holds_pb2.AuthorizeResponse(
        hold=encoding.hold(decided.hold, account),
        available=encode.money(account, account.available_at(ask.at)) if account.is_open else None,
    )
