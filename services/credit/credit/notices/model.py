"""On which local days a customer is told what is owed, and what is said then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from credit.accounts.model import Account
from credit.invoices.model import Invoice

LISTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Steps:
    """When notices go out: from `hour` o'clock local time, on these local days counted from a due date."""

    hour: int
    days: frozenset[int]

    @property
    def horizon(self) -> timedelta:
        """How far ahead a notice looks for what is due soon: as far as the first reminder does."""
        return timedelta(days=max(0, -min(self.days, default=0)))

    def due_dates(self, today: date) -> list[date]:
        """The due dates of which a notice speaks up today."""
        return [today - timedelta(days=days) for days in self.days]


def begins(hour: int, zone: str, today: date) -> datetime:
    """The instant at which a zone's notices of a local day begin, in UTC."""
    return datetime.combine(today, time(hour), ZoneInfo(zone)).astimezone(UTC)


class Day(NamedTuple):
    """A zone's local day whose notices have begun."""

    zone: str
    local_date: date
    begins: datetime


class Ladders(NamedTuple):
    """The steps of every merchant: its `own`, none for the `silent`, `usual` for all others."""

    usual: Steps
    own: Mapping[str, Steps]
    silent: Collection[str] = ()

    def of(self, merchant_id: str) -> Steps:
        """The steps of a merchant of whose customers something is said."""
        return self.own.get(merchant_id, self.usual)


class Kind(StrEnum):
    """What a notice is about: OVERDUE where anything is past its due date, else DUE."""

    DUE = "DUE"
    OVERDUE = "OVERDUE"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said to one customer on one local day: at most LISTED_MAX invoices each, longest due first."""

    account: Account
    local_date: date
    overdue: tuple[Invoice, ...]
    due: tuple[Invoice, ...]

    @property
    def kind(self) -> Kind:
        """Which of the two events says it."""
        return Kind.OVERDUE if self.overdue else Kind.DUE


def by_hand(account: Account, now: datetime, invoices: Sequence[Invoice]) -> Notice | None:
    """Return what staff say of all open invoices on the account's local day; None: nothing is owed."""
    if not invoices:
        return None
    today = account.local_date(now)
    longest_first = sorted(invoices, key=lambda i: (i.due_on, i.invoice_id))
    return Notice(
        account=account,
        local_date=today,
        overdue=tuple(i for i in longest_first if i.due_on < today)[:LISTED_MAX],
        due=tuple(i for i in longest_first if i.due_on >= today)[:LISTED_MAX],
    )


def begun(hour: int, zones: Iterable[str], now: datetime) -> list[Day]:
    """Return the local day of each zone in which it is `hour` o'clock or later at `now`."""
    days: list[Day] = []
    for zone in zones:
        today = now.astimezone(ZoneInfo(zone)).date()
        start = begins(hour, zone, today)
        if start <= now:
            days.append(Day(zone, today, start))
    return days


def notice(steps: Steps, account: Account, now: datetime, invoices: Sequence[Invoice]) -> Notice | None:
    """Return what is to be said on the account's local day of `now`; None: nothing is at a step.

    Speaks up for what was owed when the day's notices began, so that the hour of the round decides nothing
    and nobody is reminded of a sale of the same afternoon; then it lists all that is open by now.
    """
    today = account.local_date(now)
    start = begins(steps.hour, account.time_zone, today)
    steps_of_today = steps.due_dates(today)
    if start > now or not any(i.due_on in steps_of_today and i.issued_at < start for i in invoices):
        return None
    longest_first = sorted(invoices, key=lambda i: (i.due_on, i.invoice_id))
    return Notice(
        account=account,
        local_date=today,
        overdue=tuple(i for i in longest_first if i.due_on < today)[:LISTED_MAX],
        due=tuple(i for i in longest_first if today <= i.due_on <= today + steps.horizon)[:LISTED_MAX],
    )
