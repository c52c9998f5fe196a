"""What staff change of an account, from opening to closing: one locked account, one remembered request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from google.type.money_pb2 import Money

from credit.accounts import encode, store, store_limits
from credit.accounts.model import Account, Key, Override, Status, StoreLimit
from credit.errors import (
    AccountClosed,
    AccountExists,
    AccountNotFound,
    AccountNotSettled,
    CurrencyMismatch,
    CustomerErased,
    NeverOpened,
    OverridePassed,
    PaymentPending,
)
from credit.limits.decide import under_policy
from credit.policies.store import Policies
from kit import db
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Change:
    """A wished change; None leaves as it is. Opening names all.

    The limit is read in the account's currency under its lock, for the currency may be corrected. An
    OVERRIDE has a limit and `until`, or neither, which ends it; a STORE_LIMIT names its store, and a limit
    unless it is taken away. `by_policy`: the shop's policy decides the limit, from now on.
    """

    key: Key
    kind: Literal["OPEN", "LIMIT", "TERMS", "OVERRIDE", "STORE_LIMIT", "SUSPEND", "RESUME", "CLOSE"]
    request_id: str
    at: datetime
    limit: Money | None = None
    by_policy: bool = False
    net_days: int | None = None
    due_day: int = 0
    until: datetime | None = None
    store_id: str = ""
    currency_code: str = ""
    minor_digits: int = 0
    time_zone: str = ""
    reason: str = ""
    staff_ref: str = ""

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        limit = self.limit
        return fingerprint(
            2,
            self.key.customer_id,
            None if limit is None else (limit.currency_code, limit.units, limit.nanos),
            self.net_days,
            self.currency_code,
            self.minor_digits,
            self.time_zone,
            self.reason,
            self.staff_ref,
            *((self.due_day,) if self.due_day else ()),
            *((self.until.isoformat(),) if self.until else ()),
            *((self.store_id,) if self.store_id else ()),
            *(("by policy",) if self.by_policy else ()),
        )

    def corrects(self, account: Account) -> bool:
        """Whether it names another currency, other digits or another zone than the account has."""
        kept = (account.currency_code, account.minor_digits, account.time_zone)
        return kept != (self.currency_code, self.minor_digits, self.time_zone)


async def apply(policies: Policies, conn: db.Conn, changes: Sequence[Change], wait: bool) -> list[Account]:
    """Make one change (a list of one) and return the account in its present state."""
    (wish,) = changes
    await store.lock(conn, [wish.key], wait=wait)
    account = (await store.read(conn, [wish.key]))[wish.key]
    if await store.already(conn, wish.key, wish.kind, wish.request_id, wish.content):
        return [account]
    of_store: StoreLimit | None = None
    if wish.kind == "OPEN":
        changed = await _opened(conn, policies, account, wish)
    elif wish.kind == "STORE_LIMIT":
        of_store = StoreLimit(wish.store_id, _limit(_changeable(account), wish))
        changed = replace(account, store_limited=await store_limits.put(conn, account, of_store))
    elif wish.by_policy:
        changed = await under_policy(conn, policies, _changeable(account), wish.at)
    else:
        changed = _changed(account, wish)
        if wish.kind == "RESUME" and not await store.opened_by_staff(conn, [account]):
            raise NeverOpened(account.customer_id)
        pending = await store.pending_payment(conn, account) if wish.kind == "CLOSE" else None
        if pending is not None:
            raise PaymentPending(pending)
    return [
        await store.change(
            conn,
            changed,
            kind=wish.kind,
            request_id=wish.request_id,
            content=wish.content,
            reason=changed.kept(wish.reason),
            staff_ref=wish.staff_ref,
            at=wish.at,
            of_store=of_store,
        )
    ]


async def _opened(conn: db.Conn, policies: Policies, account: Account, wish: Change) -> Account:
    if account.erased:
        raise CustomerErased(account.customer_id)
    if account.status is Status.ACTIVE:
        if not wish.corrects(account) or account.held or await store.is_booked(conn, account):
            raise AccountExists(account.customer_id)
        if (account.currency_code, account.minor_digits) != (wish.currency_code, wish.minor_digits):
            # Whatever has an amount would be read in the new currency.
            if account.store_limited or await store.has_payments(conn, account):
                raise AccountExists(account.customer_id)
            await store.forget_held_amounts(conn, account)
        account = replace(account, status=Status.UNOPENED)
    if account.status is Status.SUSPENDED and await store.opened_by_staff(conn, [account]):
        raise AccountExists(account.customer_id)
    assert wish.net_days is not None, "opening names terms"
    if not account.is_open:
        account = replace(
            account,
            currency_code=wish.currency_code,
            minor_digits=wish.minor_digits,
            time_zone=wish.time_zone,
            opened_at=account.opened_at or wish.at,
        )
    if (account.currency_code, account.minor_digits) != (wish.currency_code, wish.minor_digits):
        raise CurrencyMismatch(account.currency_code, account.minor_digits)
    account = replace(
        account, status=Status.ACTIVE, net_days=wish.net_days, due_day=wish.due_day, override=None
    )
    if wish.by_policy:
        return await under_policy(conn, policies, account, wish.at)
    assert wish.limit is not None, "opening names a limit, or leaves it to the policy"
    return replace(account, limit=encode.limit(wish.limit, encode.currency(account)), by_policy=None)


def _changed(account: Account, wish: Change) -> Account:
    if wish.kind == "CLOSE" and account.is_open:
        if account.posted or account.held or account.credit_balance:
            raise AccountNotSettled(account.posted, account.held, account.credit_balance)
        return replace(account, status=Status.CLOSED, by_policy=None)
    limit = _limit(_changeable(account), wish)
    match wish.kind:
        case "SUSPEND":
            return replace(account, status=Status.SUSPENDED)
        case "RESUME":
            return replace(account, status=Status.ACTIVE)
        case "OVERRIDE":
            return replace(account, override=_override(limit, wish))
        case "TERMS":
            assert wish.net_days is not None, "terms are named whole"
            return replace(account, net_days=wish.net_days, due_day=wish.due_day)
        case _:
            assert limit is not None, "a limit is named"
            return replace(account, limit=limit, by_policy=None)


def _changeable(account: Account) -> Account:
    if not account.is_open:
        raise AccountNotFound(account.customer_id)
    if account.status is Status.CLOSED:
        raise AccountClosed(account.customer_id)
    return account


def _limit(account: Account, wish: Change) -> int | None:
    return None if wish.limit is None else encode.limit(wish.limit, encode.currency(account))


def _override(limit: int | None, wish: Change) -> Override | None:
    if limit is None or wish.until is None:
        return None
    if wish.until <= wish.at:
        raise OverridePassed
    return Override(limit, wish.until)
