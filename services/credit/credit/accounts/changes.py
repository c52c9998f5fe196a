"""Opening an account, setting its limit and its terms: one locked account, one remembered request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from credit.accounts import store
from credit.accounts.model import Account, Key, Status
from credit.errors import AccountExists, AccountNotFound, CurrencyMismatch, CustomerErased
from kit import db
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Change:
    """A wished change; None leaves as it is. Opening names all. Limit in minor units."""

    key: Key
    kind: Literal["OPEN", "LIMIT", "TERMS"]
    request_id: str
    at: datetime
    limit: int | None = None
    net_days: int | None = None
    currency_code: str = ""
    minor_digits: int = 0
    time_zone: str = ""
    reason: str = ""
    staff_ref: str = ""

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(
            1,
            self.key.customer_id,
            self.limit,
            self.net_days,
            self.currency_code,
            self.minor_digits,
            self.time_zone,
            self.reason,
            self.staff_ref,
        )


async def apply(conn: db.Conn, changes: Sequence[Change], wait: bool) -> list[Account]:
    """Make one change (a list of one) and return the account in its present state."""
    (wish,) = changes
    await store.lock(conn, [wish.key], wait=wait)
    account = (await store.read(conn, [wish.key]))[wish.key]
    if await store.already(conn, wish.key, wish.kind, wish.request_id, wish.content):
        return [account]
    changed = _opened(account, wish) if wish.kind == "OPEN" else _changed(account, wish)
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


def _opened(account: Account, wish: Change) -> Account:
    if account.erased:
        raise CustomerErased(account.customer_id)
    if account.status is Status.ACTIVE:
        raise AccountExists(account.customer_id)
    assert wish.limit is not None, "opening names a limit"
    assert wish.net_days is not None, "opening names terms"
    if not account.is_open:
        account = replace(
            account,
            currency_code=wish.currency_code,
            minor_digits=wish.minor_digits,
            time_zone=wish.time_zone,
            opened_at=wish.at,
        )
    if (account.currency_code, account.minor_digits) != (wish.currency_code, wish.minor_digits):
        raise CurrencyMismatch(account.currency_code, account.minor_digits)
    return replace(account, status=Status.ACTIVE, limit=wish.limit, net_days=wish.net_days)


def _changed(account: Account, wish: Change) -> Account:
    if not account.is_open:
        raise AccountNotFound(account.customer_id)
    return replace(
        account,
        limit=account.limit if wish.limit is None else wish.limit,
        net_days=account.net_days if wish.net_days is None else wish.net_days,
    )
