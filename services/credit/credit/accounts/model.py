"""What an account holds, what it may still approve, and the ledger entries that move it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


def local_date(zone: str, at: datetime) -> date:
    """The date of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


class Key(NamedTuple):
    """What is locked: one customer of one merchant."""

    merchant_id: str
    customer_id: str


class Status(StrEnum):
    """UNOPENED: known here, but no account; SUSPENDED: opened by a sale, approves nothing."""

    UNOPENED = "UNOPENED"
    SUSPENDED = "SUSPENDED"
    ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its cached balances, minor units."""

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
    limit_wished: int = 0
    erased: bool = False
    merged_into: str = ""
    opened_at: datetime | None = None
    revision: int = 0

    @property
    def key(self) -> Key:
        """What its lock is named by."""
        return Key(self.merchant_id, self.customer_id)

    @property
    def is_open(self) -> bool:
        """Whether there is an account at all."""
        return self.status is not Status.UNOPENED

    @property
    def available(self) -> int:
        """What would be approved now, never below zero."""
        if self.status is not Status.ACTIVE or self.erased:
            return 0
        return max(0, self.limit - self.posted - self.held + self.credit_balance)

    def local_date(self, at: datetime) -> date:
        """The date of an instant in the account's zone."""
        return local_date(self.time_zone, at)

    def due_on(self, at: datetime) -> date:
        """The date on which what is charged at `at` is due."""
        return self.local_date(at) + timedelta(days=self.net_days)

    def is_blocked(self, oldest_due: date | None, at: datetime, after_days: int) -> bool:
        """Whether the oldest open due date lies more than so many days before the local date of `at`."""
        return oldest_due is not None and self.local_date(at) - oldest_due > timedelta(days=after_days)


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
        opened_at=at,
        revision=account.revision + 1,
    )
