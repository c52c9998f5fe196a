"""Opening an account, setting its limit and its terms: one locked account, one remembered request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from google.type.money_pb2 import Money

from credit.accounts import encode, store
from credit.accounts.model import Account, Key, Status
from credit.errors import AccountExists, AccountNotFound, CurrencyMismatch, CustomerErased
from kit import db
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Change:
    """A wished change; None leaves as it is. Opening names all.

    The limit is read in the account's currency under its lock, for the currency may be corrected.
    """

    key: Key
    kind: Literal["OPEN", "LIMIT", "TERMS"]
    request_id: str
    at: datetime
    limit: Money | None = None
    net_days: int | None = None
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
        )

    def corrects(self, account: Account) -> bool:
        """Whether it names another currency, other digits or another zone than the account has."""
        kept = (account.currency_code, account.minor_digits, account.time_zone)
        return kept != (self.currency_code, self.minor_digits, self.time_zone)


async def apply(conn: db.Conn, changes: Sequence[Change], wait: bool) -> list[Account]:
    """Make one change (a list of one) and return the account in its present state."""
    (wish,) = changes
    await store.lock(conn, [wish.key], wait=wait)
    account = (await store.read(conn, [wish.key]))[wish.key]
    if await store.already(conn, wish.key, wish.kind, wish.request_id, wish.content):
        return [account]
    changed = await _opened(conn, account, wish) if wish.kind == "OPEN" else _changed(account, wish)
    return [
        await store.change(
            conn,
            changed,
            kind=wish.kind,
            request_id=wish.request_id,
            content=wish.content,
            reason=wish.reason,
            staff_ref=wish.staff_ref,
            at=wish.at,
        )
    ]


async def _opened(conn: db.Conn, account: Account, wish: Change) -> Account:
    if account.erased:
        raise CustomerErased(account.customer_id)
    if account.status is Status.ACTIVE:
        if not wish.corrects(account) or account.held or await store.is_booked(conn, account):
            raise AccountExists(account.customer_id)
        # Amounts of holds that are over would be read in the new currency.
        await store.forget_held_amounts(conn, account)
        account = replace(account, status=Status.UNOPENED)
    assert wish.limit is not None, "opening names a limit"
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
    limit = encode.limit(wish.limit, encode.currency(account))
    return replace(account, status=Status.ACTIVE, limit=limit, net_days=wish.net_days)


def _changed(account: Account, wish: Change) -> Account:
    if not account.is_open:
        raise AccountNotFound(account.customer_id)
    return replace(
        account,
        limit=account.limit if wish.limit is None else encode.limit(wish.limit, encode.currency(account)),
        net_days=account.net_days if wish.net_days is None else wish.net_days,
    )
