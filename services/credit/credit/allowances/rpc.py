"""AllowanceService: grants what a store may sell blind, and takes in what its tills promised meanwhile."""

from __future__ import annotations

from typing import Any

from google.type.money_pb2 import Money

from credit import pages
from credit.accounts import encode
from credit.allowances import encoding, store
from credit.allowances.grant import End, end, grant
from credit.allowances.hand_in import Batch, Offline, hand_in
from credit.allowances.model import Allowance, AllowanceKey
from credit.callers import account_key, till
from credit.errors import AllowanceNotFound
from credit.payments.model import effective
from credit.zones import known_zone
from kit import batch, db, ids, paging
from kit.auth import caller
from kit.clock import Clock
from kit.money import Currency
from kit.rpc.errors import BadRequest
from kit.rpc.times import instant
from langganan.credit.v1 import allowances_pb2 as pb
from langganan.credit.v1 import allowances_pb2_grpc


class AllowanceService(allowances_pb2_grpc.AllowanceServiceServicer):
    """The servicer; each change runs in a transaction of its own."""

    def __init__(self, pool: db.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def GrantAllowance(
        self, request: pb.GrantAllowanceRequest, context: Any
    ) -> pb.GrantAllowanceResponse:
        """Let a store sell an amount on account while its tills cannot ask."""
        currency = Currency(request.amount.currency_code, request.minor_digits)
        limit: Money | None = request.customer_limit if request.HasField("customer_limit") else None
        wish = Allowance(
            *_key(request.allowance_id),
            store_id=request.store_id,
            currency=currency,
            time_zone=known_zone(request.time_zone),
            amount=encode.positive(request.amount, currency),
            customer_limit=None if limit is None else encode.positive(limit, currency, "customer_limit"),
            valid_from=instant(request.valid_from, "valid_from"),
            valid_until=instant(request.valid_until, "valid_until"),
            granted_at=self._clock.now(),
            staff_ref=request.staff_ref,
        )
        if wish.valid_until <= wish.valid_from:
            raise BadRequest([("valid_until", "must be later than valid_from")])
        return pb.GrantAllowanceResponse(allowance=self._show(await batch.once(self._pool, grant, wish)))

    async def GetAllowance(self, request: pb.GetAllowanceRequest, context: Any) -> pb.GetAllowanceResponse:
        """Tell an allowance."""
        key = _key(request.allowance_id)
        async with self._pool.acquire(timeout=5) as conn:
            found = (await store.read(conn, [key])).get(key)
        if found is None:
            raise AllowanceNotFound(request.allowance_id)
        return pb.GetAllowanceResponse(allowance=self._show(found))

    async def ListAllowances(
        self, request: pb.ListAllowancesRequest, context: Any
    ) -> pb.ListAllowancesResponse:
        """List the allowances of a store or of all, the latest to begin first."""
        merchant_id = caller().merchant_id
        filter_ = ("allowances", merchant_id, request.store_id, request.valid_now)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.page(
                conn,
                merchant_id,
                store_id=request.store_id,
                valid_at=self._clock.now() if request.valid_now else None,
                before=before,
                size=size + 1,
            )
        return pb.ListAllowancesResponse(
            allowances=[self._show(each) for each in found[:size]],
            next_page_token=paging.next_token(
                found, size, lambda a: (a.valid_from, a.allowance_id), *filter_
            ),
        )

    async def EndAllowance(self, request: pb.EndAllowanceRequest, context: Any) -> pb.EndAllowanceResponse:
        """End an allowance before its time."""
        wish = End(
            key=_key(request.allowance_id),
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        return pb.EndAllowanceResponse(allowance=self._show(await batch.once(self._pool, end, wish)))

    async def HandIn(self, request: pb.HandInRequest, context: Any) -> pb.HandInResponse:
        """Take in the holds that a till made while it had no line."""
        now = self._clock.now()
        wish = Batch(
            allowance=_key(request.allowance_id),
            holds=tuple(
                Offline(
                    key=account_key(each.customer_id),
                    hold_id=ids.canonical_uuid(each.hold_id, "hold_id"),
                    amount=each.amount,
                    at=effective(
                        instant(each.decided_at, "decided_at") if each.HasField("decided_at") else None, now
                    ),
                )
                for each in request.holds
            ),
            till=till(request.origin),
            at=now,
        )
        return encoding.handed_in(await batch.once(self._pool, hand_in, wish), wish.holds, now)

    def _show(self, found: Allowance) -> pb.Allowance:
        return encoding.allowance(found, self._clock.now())


def _key(allowance_id: str) -> AllowanceKey:
    return AllowanceKey(caller().merchant_id, ids.canonical_uuid(allowance_id, "allowance_id"))
