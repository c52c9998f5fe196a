"""What decides whether credit is kept aside, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from credit.accounts.model import Account, Key, Status, StoreRoom


class State(StrEnum):
    """Where a hold stands; EXPIRED: nobody used it in time."""

    PENDING = "PENDING"
    DECLINED = "DECLINED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class Reason(StrEnum):
    """Why a hold is declined."""

    NO_ACCOUNT = "NO_ACCOUNT"
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    OVER_LIMIT = "OVER_LIMIT"
    CUSTOMER_ERASED = "CUSTOMER_ERASED"
    OVERDUE = "OVERDUE"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    OVER_STORE_LIMIT = "OVER_STORE_LIMIT"


class Till(NamedTuple):
    """Where a request came from; for the record, never part of its identity. `origin` is all it said."""

    store_id: str = ""
    register_id: str = ""
    staff_ref: str = ""
    recognised_by: int = 0
    origin: bytes = b""


NO_TILL = Till()


class HoldKey(NamedTuple):
    """What names a hold."""

    merchant_id: str
    hold_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Credit kept aside, minor units.

    `amount` is None for a hold voided before it was authorised, where the customer has no account, and
    where the account's currency was corrected since; `fingerprint` is None for the first alone.
    `available` is what was available at a decline. `store_limited`: its account has limits per store, so that
    it must be found by its store while it is pending. `allowance_id`: of a till that had no line.
    """

    merchant_id: str
    hold_id: str
    customer_id: str
    state: State
    amount: int | None
    decided_at: datetime
    expires_at: datetime | None = None
    captured: int = 0
    reason: Reason | None = None
    available: int = 0
    invoice_id: str | None = None
    fingerprint: bytes | None = None
    till: Till = NO_TILL
    closed_by: Till | None = None
    allowance_id: str | None = None
    store_limited: bool = False

    @property
    def key(self) -> HoldKey:
        """What names it."""
        return HoldKey(self.merchant_id, self.hold_id)

    @property
    def account_key(self) -> Key:
        """Whose account it is on."""
        return Key(self.merchant_id, self.customer_id)

    @property
    def held(self) -> int:
        """What it keeps aside now."""
        return (self.amount or 0) if self.state is State.PENDING else 0


def available(account: Account, at: datetime, room: StoreRoom | None) -> int:
    """Return what would be approved at `at` from a store; `room`: its own limit, None: it has none."""
    on_account = account.available_at(at)
    return on_account if room is None else min(on_account, room.left)


def declined(
    account: Account, amount: int, at: datetime, *, blocked: bool = False, room: StoreRoom | None = None
) -> Reason | None:
    """Return why `amount` is not approved on the account at `at`; None: it is.

    `blocked`: overdue; `room`: of the store that asks, None: it has no limit of its own. Of the two limits
    the one that leaves less is named.
    """
    if account.erased:
        return Reason.CUSTOMER_ERASED
    if not account.is_open:
        return Reason.NO_ACCOUNT
    if account.status is Status.SUSPENDED:
        return Reason.ACCOUNT_SUSPENDED
    if account.status is Status.CLOSED:
        return Reason.ACCOUNT_CLOSED
    if blocked:  # before the limit: a smaller amount would not help
        return Reason.OVERDUE
    if amount > available(account, at, room):
        narrower = room is not None and room.left < account.available_at(at)
        return Reason.OVER_STORE_LIMIT if narrower else Reason.OVER_LIMIT
    return None


def extend(hold: Hold, ttl: timedelta) -> Hold:
    """Return a pending hold kept until `ttl` after it was decided, or for as long as it was before."""
    assert hold.expires_at is not None, "what is pending has an end"
    return replace(hold, expires_at=max(hold.expires_at, hold.decided_at + ttl))


def lapse(hold: Hold, now: datetime, heard: datetime, parked: bool) -> Hold | None:
    """Return the hold EXPIRED if it may be given up at `now`; None: it stays as it is.

    `heard`: all that became true before this instant has been heard, so a sale from the hold's lifetime
    would have used it. `parked`: something of its customer could not be applied yet, or a sale that names
    the hold.
    """
    if hold.state is not State.PENDING or hold.expires_at is None or parked:
        return None
    return replace(hold, state=State.EXPIRED) if hold.expires_at <= min(now, heard) else None
