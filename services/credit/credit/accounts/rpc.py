"""AccountService: opens and closes accounts, tells balances and history, sets limit and terms."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from credit import pages
from credit.accounts import changes, encode, store, store_limits
from credit.accounts.model import Account, Key
from credit.callers import account_key
from credit.errors import OverridePassed
from credit.policies.store import Policies
from credit.zones import known_zone
from kit import batch, db, ids, neutral, paging
from kit.clock import Clock
from kit.errors import DomainError
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc


class AccountService(accounts_pb2_grpc.AccountServiceServicer):
    """The servicer; each change runs in a transaction of its own."""

    def __init__(self, pool: db.Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies

    async def OpenAccount(
        self, request: accounts_pb2.OpenAccountRequest, context: Any
    ) -> accounts_pb2.OpenAccountResponse:
        """Open an account, or activate a suspended one."""
        change = changes.Change(
            key=account_key(request.customer_id),
            kind="OPEN",
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            limit=None if request.limit_by_policy else request.limit,
            by_policy=request.limit_by_policy,
            net_days=request.net_days,
            due_day=request.due_day,
            currency_code=request.currency_code,
            minor_digits=request.minor_digits,
            time_zone=known_zone(request.time_zone),
            staff_ref=request.staff_ref,
        )
        return accounts_pb2.OpenAccountResponse(account=await self._apply(change))

    async def GetAccount(
        self, request: accounts_pb2.GetAccountRequest, context: Any
    ) -> accounts_pb2.GetAccountResponse:
        """Tell an account's balances at this moment."""
        key = account_key(request.customer_id)
        async with self._pool.acquire(timeout=5) as conn:
            account = await store.read_open(conn, key)
            shown = await self._show(conn, account, key)
        return accounts_pb2.GetAccountResponse(account=shown)

    async def SetLimit(
        self, request: accounts_pb2.SetLimitRequest, context: Any
    ) -> accounts_pb2.SetLimitResponse:
        """Set the limit."""
        neutral.refuse(reason=request.reason)
        change = changes.Change(
            key=account_key(request.customer_id),
            kind="LIMIT",
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            limit=None if request.by_policy else request.limit,
            by_policy=request.by_policy,
            reason=request.reason,
            staff_ref=request.staff_ref,
        )
        return accounts_pb2.SetLimitResponse(account=await self._apply(change))

    async def SetTerms(
        self, request: accounts_pb2.SetTermsRequest, context: Any
    ) -> accounts_pb2.SetTermsResponse:
        """Set the terms."""
        neutral.refuse(reason=request.reason)
        change = changes.Change(
            key=account_key(request.customer_id),
            kind="TERMS",
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            net_days=request.net_days,
            due_day=request.due_day,
            reason=request.reason,
            staff_ref=request.staff_ref,
        )
        return accounts_pb2.SetTermsResponse(account=await self._apply(change))

    async def OverrideLimit(
        self, request: accounts_pb2.OverrideLimitRequest, context: Any
    ) -> accounts_pb2.OverrideLimitResponse:
        """Set another limit until an instant, or end that."""
        neutral.refuse(reason=request.reason)
        change = changes.Change(
            key=account_key(request.customer_id),
            kind="OVERRIDE",
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            limit=request.limit if request.HasField("limit") else None,
            until=_until(request) if request.HasField("until") else None,
            reason=request.reason,
            staff_ref=request.staff_ref,
        )
        return accounts_pb2.OverrideLimitResponse(account=await self._apply(change))

    async def SetStoreLimit(
        self, request: accounts_pb2.SetStoreLimitRequest, context: Any
    ) -> accounts_pb2.SetStoreLimitResponse:
        """Give a store a limit of its own, or take it away."""
        neutral.refuse(reason=request.reason)
        change = changes.Change(
            key=account_key(request.customer_id),
            kind="STORE_LIMIT",
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            limit=request.limit if request.HasField("limit") else None,
            store_id=request.store_id,
            reason=request.reason,
            staff_ref=request.staff_ref,
        )
        return accounts_pb2.SetStoreLimitResponse(account=await self._apply(change))

    async def SuspendAccount(
        self, request: accounts_pb2.SuspendAccountRequest, context: Any
    ) -> accounts_pb2.SuspendAccountResponse:
        """Let an account approve nothing until it is resumed."""
        return accounts_pb2.SuspendAccountResponse(account=await self._move("SUSPEND", request))

    async def ResumeAccount(
        self, request: accounts_pb2.ResumeAccountRequest, context: Any
    ) -> accounts_pb2.ResumeAccountResponse:
        """Let a suspended account approve again."""
        return accounts_pb2.ResumeAccountResponse(account=await self._move("RESUME", request))

    async def CloseAccount(
        self, request: accounts_pb2.CloseAccountRequest, context: Any
    ) -> accounts_pb2.CloseAccountResponse:
        """Close an account at zero."""
        return accounts_pb2.CloseAccountResponse(account=await self._move("CLOSE", request))

    async def ListChanges(
        self, request: accounts_pb2.ListChangesRequest, context: Any
    ) -> accounts_pb2.ListChangesResponse:
        """List what changed an account, newest first."""
        key = account_key(request.customer_id)
        filter_ = ("changes", *key)
        before = pages.before_numbered(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            account = await store.read_open(conn, key)
            found = await store.changes(conn, account.key, before=before, size=size + 1)
        return accounts_pb2.ListChangesResponse(
            changes=[encode.change(account, made) for made in found[:size]],
            next_page_token=paging.next_token(
                found, size, lambda made: (made.changed_at, made.revision), *filter_
            ),
        )

    async def _move(
        self,
        kind: Literal["SUSPEND", "RESUME", "CLOSE"],
        request: accounts_pb2.SuspendAccountRequest
        | accounts_pb2.ResumeAccountRequest
        | accounts_pb2.CloseAccountRequest,
    ) -> accounts_pb2.Account:
        neutral.refuse(reason=request.reason)
        change = changes.Change(
            key=account_key(request.customer_id),
            kind=kind,
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            at=self._clock.now(),
            reason=request.reason,
            staff_ref=request.staff_ref,
        )
        return await self._apply(change)

    async def _apply(self, change: changes.Change) -> accounts_pb2.Account:
        account = await batch.once(self._pool, partial(changes.apply, self._policies), change)
        async with self._pool.acquire(timeout=5) as conn:
            return await self._show(conn, account, change.key)

    async def _show(self, conn: db.Conn, account: Account, asked: Key) -> accounts_pb2.Account:
        now = self._clock.now()
        overdue, oldest_due = await store.overdue(conn, account, account.local_date(now))
        policy = await self._policies.of(conn, account.merchant_id, now)
        try:
            blocked = policy.blocks(account.days_overdue(oldest_due, now), account.posted)
        except DomainError:  # nor does Authorize approve anything then
            blocked = True
        rooms = await store_limits.rooms_of(conn, account)
        return encode.account(account, asked, overdue, now, blocked=blocked, rooms=rooms)


def _until(request: accounts_pb2.OverrideLimitRequest) -> datetime:
    """Return when an override ends; raise OVERRIDE_PASSED for an instant that no calendar holds."""
    try:
        return request.until.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise OverridePassed from error
