"""StatementService: tells what made a customer's balances."""

from __future__ import annotations

from typing import Any

from credit import pages
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.callers import account_key
from credit.errors import InvalidPeriod
from credit.statements.model import period
from kit import db, paging
from langganan.credit.v1 import statements_pb2 as pb
from langganan.credit.v1 import statements_pb2_grpc

queries = db.load(__file__)


class StatementService(statements_pb2_grpc.StatementServiceServicer):
    """The servicer; each answer is read in one snapshot, so that it adds up."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool

    async def GetStatement(self, request: pb.GetStatementRequest, context: Any) -> pb.GetStatementResponse:
        """Tell a period of an account."""
        key = account_key(request.customer_id)
        first = encode.read_day(request.first_day, "first_day")
        last = encode.read_day(request.last_day, "last_day")
        if last < first:
            raise InvalidPeriod
        filter_ = ("statement", *key, first.isoformat(), last.isoformat())
        before = pages.before_numbered(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with (
            self._pool.acquire(timeout=5) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            account = await accounts.read_open(conn, key)
            of = period(first, last, account.time_zone)
            whose = _whose(account.key) | {"opens": of.opens, "closes": of.closes}
            sums = await queries.sums(conn, **whose)
            rows = queries.lines(conn, **whose, before_at=before.at, before_no=before.no, size=size + 1)
            lines = [row async for row in rows]
        return pb.GetStatementResponse(
            opening=_balances(account, sums["opening_posted"], sums["opening_credit"]),
            closing=_balances(account, sums["closing_posted"], sums["closing_credit"]),
            entries=[_entry(account, row, after=True) for row in lines[:size]],
            next_page_token=paging.next_token(
                lines, size, lambda row: (row["effective_at"], row["entry_id"]), *filter_
            ),
        )

    async def ExplainBalance(
        self, request: pb.ExplainBalanceRequest, context: Any
    ) -> pb.ExplainBalanceResponse:
        """Tell all that makes a balance."""
        key = account_key(request.customer_id)
        async with (
            self._pool.acquire(timeout=5) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            account = await accounts.read_open(conn, key)
            folds = await queries.folded(conn, **_whose(account.key))
            if request.balance == pb.BALANCE_KIND_HELD:
                shown, kept, folded = await _holds(conn, account, request), account.held, folds["held"]
            else:
                shown = await _movers(conn, account, request)
                posted = request.balance == pb.BALANCE_KIND_POSTED
                kept = account.posted if posted else account.credit_balance
                folded = folds["posted"] if posted else folds["credit"]
        shown.kept.CopyFrom(encode.money(account, kept))
        shown.folded.CopyFrom(encode.money(account, folded))
        shown.consistent = kept == folded
        return shown


async def _movers(
    conn: db.Conn, account: Account, request: pb.ExplainBalanceRequest
) -> pb.ExplainBalanceResponse:
    """Return a page of the entries that moved what is owed, or the credit balance."""
    of_posted = request.balance == pb.BALANCE_KIND_POSTED
    filter_ = ("explain", account.merchant_id, request.customer_id, of_posted)
    before = pages.before_number(request.page_token, *filter_)
    size = paging.page_size(request.page_size)
    rows = queries.movers(conn, **_whose(account.key), of_posted=of_posted, before_no=before, size=size + 1)
    found = [row async for row in rows]
    more = paging.encode([found[size - 1]["entry_id"]], *filter_) if len(found) > size else ""
    entries = [_entry(account, row) for row in found[:size]]
    return pb.ExplainBalanceResponse(entries=entries, next_page_token=more)


async def _holds(
    conn: db.Conn, account: Account, request: pb.ExplainBalanceRequest
) -> pb.ExplainBalanceResponse:
    """Return a page of the pending holds."""
    filter_ = ("explain", account.merchant_id, request.customer_id, "held")
    before = pages.before(request.page_token, *filter_)
    size = paging.page_size(request.page_size)
    rows = queries.holds(conn, **_whose(account.key), before_at=before.at, before_id=before.id, size=size + 1)
    found = [row async for row in rows]
    return pb.ExplainBalanceResponse(
        holds=[
            pb.HeldAmount(
                hold_id=str(row["hold_id"]),
                amount=encode.money(account, row["amount"]),
                decided_at=encode.stamp(row["decided_at"]),
                expires_at=encode.stamp(row["expires_at"]),
            )
            for row in found[:size]
        ],
        next_page_token=paging.next_token(
            found, size, lambda row: (row["decided_at"], str(row["hold_id"])), *filter_
        ),
    )


def _whose(key: Key) -> dict[str, Any]:
    return {"merchant_id": key.merchant_id, "customer_id": key.customer_id}


def _balances(account: Account, posted: int, credit: int) -> pb.Balances:
    return pb.Balances(posted=encode.money(account, posted), credit_balance=encode.money(account, credit))


def _entry(account: Account, row: Any, *, after: bool = False) -> pb.Entry:
    return pb.Entry(
        entry_no=row["entry_id"],
        cause=pb.EntryCause.Value(f"ENTRY_CAUSE_{row['cause_type']}"),
        cause_id=str(row["cause_id"]),
        effect=pb.EntryEffect.Value(f"ENTRY_EFFECT_{row['effect']}"),
        invoice_id="" if row["invoice_id"] is None else str(row["invoice_id"]),
        posted=encode.money(account, row["posted"]),
        credit_balance=encode.money(account, row["credit"]),
        effective_at=encode.stamp(row["effective_at"]),
        absorbed_from=row["absorbed_from"] or "",
        after=_balances(account, row["posted_after"], row["credit_after"]) if after else None,
    )
