"""What an account holds, what it may still approve, and the ledger entries that move it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


def local_date(zone: str, at: datetime) -> date:
    """The date of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def next_on(day: date, day_of_month: int) -> date:
    """The first date after `day` on that day of a month; in a month that has none, its last day."""
    found = _on(day.year, day.month, day_of_month)
    if found <= day:
        found = _on(day.year + day.month // 12, day.month % 12 + 1, day_of_month)
    return found


def _on(year: int, month: int, day_of_month: int) -> date:
    return date(year, month, min(day_of_month, monthrange(year, month)[1]))


class Key(NamedTuple):
    """What is locked: one customer of one merchant."""

    merchant_id: str
    customer_id: str


class Status(StrEnum):
    """UNOPENED: known here, but no account; SUSPENDED, by a sale or by staff, and CLOSED approve nothing."""

    UNOPENED = "UNOPENED"
    SUSPENDED = "SUSPENDED"
    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


class Override(NamedTuple):
    """Another limit, minor units, until an instant."""

    limit: int
    until: datetime


class PolicyLimit(NamedTuple):
    """A limit that the shop's policy decided: its version, and the local date from which it decides again."""

    version: int
    again_on: date


class StoreLimit(NamedTuple):
    """How much of what a customer owes may come from one store, minor units; None: as much as from any."""

    store_id: str
    limit: int | None


@dataclass(frozen=True, slots=True)
class StoreRoom:
    """A store's limit on an account, and what counts against it: held from there, owed on what it sold."""

    store_id: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """What may still come from the store, never below zero."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its cached balances, minor units; due_day 0: net_days decides.

    `store_limited`: some stores have a limit of their own. `by_policy`: the shop's policy decides the limit.
    """

    merchant_id: str
    customer_id: str
    status: Status = Status.UNOPENED
    currency_code: str = ""
    minor_digits: int = 0
    time_zone: str = "UTC"
    limit: int = 0
    posted: int = 0
    held: int = 0
    credit_balance: int = 0
    net_days: int = 0
    due_day: int = 0
    override: Override | None = None
    limit_wished: int = 0
    erased: bool = False
    merged_into: str = ""
    opened_at: datetime | None = None
    revision: int = 0
    store_limited: bool = False
    by_policy: PolicyLimit | None = None

    @property
    def limit_policy(self) -> int:
        """Which version of the policy decided the limit; 0: it was set by hand."""
        return self.by_policy.version if self.by_policy else 0

    @property
    def key(self) -> Key:
        """What its lock is named by."""
        return Key(self.merchant_id, self.customer_id)

    @property
    def is_open(self) -> bool:
        """Whether there is an account at all."""
        return self.status is not Status.UNOPENED

    def kept(self, text: str) -> str:
        """What is kept of a text that staff write: nothing of an erased customer."""
        return "" if self.erased else text

    def override_at(self, at: datetime) -> Override | None:
        """The limit that is in force at `at` instead of the account's own; it ends by itself."""
        return self.override if self.override is not None and at < self.override.until else None

    def limit_at(self, at: datetime) -> int:
        """The limit that is in force at `at`."""
        override = self.override_at(at)
        return self.limit if override is None else override.limit

    def available_at(self, at: datetime) -> int:
        """What would be approved at `at`, never below zero."""
        if self.status is not Status.ACTIVE or self.erased:
            return 0
        return max(0, self.limit_at(at) - self.posted - self.held + self.credit_balance)

    def over_at(self, at: datetime) -> int:
        """By how much what is owed and held is beyond the limit in force at `at`; 0: it is within it."""
        return max(0, self.posted + self.held - self.credit_balance - self.limit_at(at))

    def payable_at(self, at: datetime) -> int:
        """What of the credit balance may be returned at `at`: all but what pending holds rest on."""
        rested_on = max(0, self.held - max(0, self.limit_at(at) - self.posted))
        return max(0, self.credit_balance - rested_on)

    def local_date(self, at: datetime) -> date:
        """The date of an instant in the account's zone."""
        return local_date(self.time_zone, at)

    def due_on(self, at: datetime) -> date:
        """The date on which what is charged at `at` is due."""
        day = self.local_date(at)
        return next_on(day, self.due_day) if self.due_day else day + timedelta(days=self.net_days)

    def days_overdue(self, oldest_due: date | None, at: datetime) -> int:
        """How many local days the oldest open due date lies before `at`; 0 where nothing is past due."""
        return 0 if oldest_due is None else max(0, (self.local_date(at) - oldest_due).days)


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made of an account, with what held after it; minor units.

    `merged_customer_id`: whom a merge absorbed. `absorbed_from`: of whose account it was before a merge.
    """

    kind: str
    request_id: str
    changed_at: datetime
    reason: str
    staff_ref: str
    status: str
    limit: int
    net_days: int
    due_day: int
    override: Override | None
    revision: int
    of_store: StoreLimit | None = None
    merged_customer_id: str = ""
    absorbed_from: str = ""
    limit_policy: int = 0


class Cause(StrEnum):
    """What an entry comes from."""

    PURCHASE = "PURCHASE"
    CAPTURE = "CAPTURE"
    RETURN = "RETURN"
    PAYMENT = "PAYMENT"
    REVERSAL = "REVERSAL"
    PAYOUT = "PAYOUT"
    WRITE_OFF = "WRITE_OFF"


class Effect(StrEnum):
    """What an entry does. UNPAID and CREDIT_UNUSED are mirrors of PAID and CREDIT_USED."""

    CHARGED = "CHARGED"
    CREDIT_USED = "CREDIT_USED"
    PAID = "PAID"
    RETURNED = "RETURNED"
    CREDIT_ADDED = "CREDIT_ADDED"
    UNPAID = "UNPAID"
    CREDIT_UNUSED = "CREDIT_UNUSED"
    CREDIT_TAKEN = "CREDIT_TAKEN"
    PAID_OUT = "PAID_OUT"
    WRITTEN_OFF = "WRITTEN_OFF"
    WRITE_OFF_UNDONE = "WRITE_OFF_UNDONE"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: signed changes of what is owed and of the credit balance, minor units.

    (cause, cause_id, line, effect) is its identity: a repeated cause finds its entries and adds none.
    """

    key: Key
    cause: Cause
    cause_id: str
    line: str
    effect: Effect
    invoice_id: str | None
    posted: int
    credit: int
    effective_at: datetime


def book(account: Account, entries: Iterable[Entry]) -> Account:
    """Return the account after the entries."""
    posted, credit = account.posted, account.credit_balance
    for entry in entries:
        posted += entry.posted
        credit += entry.credit
    assert posted >= 0, "what is owed cannot be negative"
    assert credit >= 0, "a credit balance cannot be negative"
    return replace(account, posted=posted, credit_balance=credit)


def suspended(account: Account, currency_code: str, minor_digits: int, zone: str, at: datetime) -> Account:
    """Return the account that a sale without one opens: limit 0, due at once."""
    return replace(
        account,
        status=Status.SUSPENDED,
        currency_code=currency_code,
        minor_digits=minor_digits,
        time_zone=zone,
        limit=0,
        net_days=0,
        due_day=0,
        opened_at=at,
        revision=account.revision + 1,
    )
