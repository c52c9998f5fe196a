"""AccountService: decode, store, encode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import grpc.aio
from google.type.date_pb2 import Date

from kit import db, neutral, paging
from kit.auth import caller
from kit.batch import once
from kit.clock import Clock
from kit.db import Conn
from kit.errors import InvalidArgument
from kit.ids import canonical_uuid, check_customer_id
from langganan.loyalty.v1 import accounts_pb2 as pb
from langganan.loyalty.v1 import accounts_pb2_grpc as rpc
from loyalty import origin
from loyalty.accounts import codec, store
from loyalty.accounts.adjust import Adjustment, adjust
from loyalty.accounts.model import Account
from loyalty.accounts.present import present
from loyalty.errors import AccountNotFound
from loyalty.programs.store import Programs
from loyalty.tiers.standing import standing_of

Context = grpc.aio.ServicerContext[Any, Any]


class AccountService(rpc.AccountServiceServicer):
    """What customers have, and why."""

    def __init__(self, pool: db.Pool, clock: Clock, programs: Programs) -> None:
        self._pool, self._clock, self._programs = pool, clock, programs

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:
        """The account as it stands."""
        async with self._pool.acquire(timeout=5) as conn:
            account, _ = await self._account(conn, check_customer_id(request.customer_id))
        return pb.GetAccountResponse(account=account)

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Context) -> pb.ListEntriesResponse:
        """A page of the ledger, newest first."""
        merchant_id, asked = caller().merchant_id, check_customer_id(request.customer_id)
        size = paging.page_size(request.page_size)
        filter_ = ("entries", merchant_id, asked)
        before = paging.before_id(request.page_token, _entry_no, *filter_)
        before_at, before_no = before or (paging.END, 0)
        async with self._pool.acquire(timeout=5) as conn:
            key = (merchant_id, asked)
            book = (await store.load(conn, [key])).get(key)
            if book is None:
                raise AccountNotFound(asked)
            rows = [
                row
                async for row in store.queries.page_of_entries(
                    conn,
                    merchant_id=merchant_id,
                    customer_id=book.account.customer_id,
                    before_at=before_at,
                    before_no=before_no,
                    limit=size + 1,
                )
            ]
        token = paging.next_token(rows, size, lambda row: (row["effective_at"], row["entry_no"]), *filter_)
        return pb.ListEntriesResponse(
            entries=[codec.entry_message(row) for row in rows[:size]], next_page_token=token
        )

    async def ExplainBalance(
        self, request: pb.ExplainBalanceRequest, context: Context
    ) -> pb.ExplainBalanceResponse:
        """The balance refolded, in one snapshot."""
        asked = check_customer_id(request.customer_id)
        async with (
            self._pool.acquire(timeout=5) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            message, account = await self._account(conn, asked)
            who = {"merchant_id": account.merchant_id, "customer_id": account.customer_id}
            sums = [row async for row in store.queries.entry_sums(conn, **who)]
            lots = [row async for row in store.queries.open_lots(conn, **who)]
            held = [row async for row in store.queries.held_reservations(conn, **who)]
            all_lots = await store.queries.lots_sum(conn, **who)
            all_held = await store.queries.held_sum(conn, **who)
        folded = sum(row["points"] for row in sums)
        return pb.ExplainBalanceResponse(
            account=message,
            folded_balance=folded,
            sums=[
                pb.EntrySum(
                    kind=pb.EntryKind.Value(f"ENTRY_KIND_{row['kind']}"),
                    entries=row["entries"],
                    points=row["points"],
                )
                for row in sums
            ],
            lots=[codec.lot_message(row) for row in lots],
            held=[
                pb.HeldPoints(reservation_id=str(row["reservation_id"]), points=row["points"]) for row in held
            ],
            consistent=(folded, all_lots["points"], all_held["points"])
            == (account.balance, account.in_lots, account.reserved),
            more_lots=_rest(all_lots, [row["points_left"] for row in lots]),
            more_held=_rest(all_held, [row["points"] for row in held]),
        )

    async def AdjustPoints(
        self, request: pb.AdjustPointsRequest, context: Context
    ) -> pb.AdjustPointsResponse:
        """Give or take points by hand."""
        asked = check_customer_id(request.customer_id)
        neutral.refuse(reason=request.reason)
        wanted = Adjustment(
            merchant_id=caller().merchant_id,
            adjustment_id=canonical_uuid(request.adjustment_id, "adjustment_id"),
            customer_id=asked,
            points=request.points,
            reason=request.reason,
            origin=origin.kept(request.origin),
            expires_on=_day(request.expires_on) if request.HasField("expires_on") else None,
            dry_run=request.dry_run,
            now=self._clock.now(),
        )
        adjusted = await once(self._pool, adjust, wanted)
        async with self._pool.acquire(timeout=5) as conn:
            message, _ = await self._account(conn, asked)
        if request.dry_run:
            would = adjusted.book.account
            message.balance, message.negative = would.balance, would.negative
            message.lapsed = min(message.lapsed, would.active)
            message.active = would.active - message.lapsed
        return pb.AdjustPointsResponse(entry=codec.entry_message(adjusted.entry), account=message)

    async def _account(self, conn: Conn, asked: str) -> tuple[pb.Account, Account]:
        merchant_id, now = caller().merchant_id, self._clock.now()
        found = await present(conn, merchant_id, asked, now)
        if found is None:
            raise AccountNotFound(asked)
        program = (await self._programs.catalogue(conn, [merchant_id])).at(merchant_id, now)
        standing = await standing_of(conn, found.account, program, now)
        return codec.account_message(found, standing, asked), found.account


def _entry_no(id_: str | int) -> int:
    """Read the number of an entry; a forged token may hold anything."""
    number = int(id_)
    if not 0 <= number < 2**63:
        raise ValueError("no number of an entry")
    return number


def _rest(whole: Mapping[str, int], listed: Sequence[int]) -> pb.Rest:
    return pb.Rest(count=whole["found"] - len(listed), points=whole["points"] - sum(listed))


def _day(day: Date) -> date:
    try:
        return date(day.year, day.month, day.day)
    except ValueError as error:
        raise InvalidArgument(
            "expires_on is no day of the calendar", reason="INVALID_DATE", field="expires_on"
        ) from error
