"""The day of a customer, once: lots expire, what will soon is told, the tier is decided again.

All three under one lock and in one transaction, so that two sweepers, or one that dies, do it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog

from kit import events
from kit.counts import count
from kit.db import Conn
from kit.errors import DomainError
from kit.events import Outgoing
from kit.sweep import CLAIM_MAX, apart
from loyalty import metrics
from loyalty.accounts import store
from loyalty.accounts.expiry import expire, notice
from loyalty.accounts.model import Book
from loyalty.days import begins, turned
from loyalty.events import TOPIC, points_expiring
from loyalty.programs.model import Program
from loyalty.programs.store import Catalogue, Programs
from loyalty.tiers import store as tiers
from loyalty.tiers.model import TierChange, daily_change, decides_daily
from loyalty.tiers.plugins import TierFacts

log = structlog.get_logger()
NAME = "days"


@dataclass(frozen=True, slots=True)
class Day:
    """A customer's book, the local day that has turned, when that was, and the program in force then.

    `seen` is what counts for the tier.
    """

    book: Book
    day: date
    begin: datetime
    program: Program | None
    seen: list[TierFacts] = field(default_factory=list)

    @property
    def notice_days(self) -> int:
        """How many days before their last points are told of; 0: never."""
        return self.program.expiry_notice_days if self.program else 0


class Days:
    """The daily sweep."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def run(self, conn: Conn, now: datetime) -> int:
        """Do up to 200 customers whose local day has turned; return how many. Missed days are one day."""
        claimed = [row async for row in store.queries.claim_days(conn, now=now, limit=CLAIM_MAX)]
        if not claimed:
            return 0
        keys = [(row["merchant_id"], row["customer_id"]) for row in claimed]
        return await apart(conn, NAME, keys, lambda some: self._turn(conn, some, now))

    async def _turn(self, conn: Conn, keys: Sequence[store.Key], now: datetime) -> int:
        # The locks are held: what is read from here on, the last holder has committed.
        books = list((await store.load(conn, keys)).values())
        catalogue = await self._programs.catalogue(conn, {key[0] for key in keys})
        days = [_day(book, now, catalogue) for book in books]
        await _load_lots(conn, days)
        said: list[Outgoing] = []
        for day in days:
            _expire(day)
            said += _notice(day, now)
            day.book.account.swept_on, day.book.changed = day.day, True
        changes = await _decide(conn, days)
        await store.write(conn, books)
        await tiers.append(conn, changes)
        await events.publish(conn, TOPIC, [*said, *(tiers.event_of(change) for change in changes)])
        return len(books)


def _day(book: Book, now: datetime, catalogue: Catalogue) -> Day:
    account = book.account
    day = turned(now, account.time_zone, account.swept_on)
    begin = begins(day, account.time_zone)
    return Day(book, day, begin, catalogue.at(account.merchant_id, begin))


async def _load_lots(conn: Conn, days: Sequence[Day]) -> None:
    """Load what may be told of or has ended; where something has, all that says who keeps it."""
    until = {
        (day.book.account.merchant_id, day.book.account.customer_id): (
            day.book,
            day.day + timedelta(days=day.notice_days),
        )
        for day in days
    }
    await store.load_ending_lots(conn, until)
    past = [day.book for day in days if any(lot.is_past(day.day) for lot in day.book.lots.values())]
    await store.load_lots(conn, past)
    await store.load_holds(conn, past)


def _expire(day: Day) -> None:
    points = expire(day.book, day.day)
    if points:
        count(metrics.POINTS.labels("EXPIRE"), points)


def _notice(day: Day, now: datetime) -> list[Outgoing]:
    account = day.book.account
    found = notice(day.book, day.day, day.notice_days)
    if not found:
        return []
    count(metrics.NOTICED, len(found))
    lots = [(lot.left, lot.expires_on) for lot in found if lot.expires_on is not None]
    return [points_expiring(account.merchant_id, account.customer_id, lots, day.day, now)]


async def _decide(conn: Conn, days: Sequence[Day]) -> list[TierChange]:
    """Put each customer into the tier that the program gives, and return the changes."""
    asked = [(day, window) for day in days for window in _windows(day)]
    found = await tiers.facts(conn, [window for _, window in asked])
    for (day, _), facts in zip(asked, found, strict=True):
        day.seen.append(facts)
    changes = [_change(day) for day in days if day.seen]
    return [change for change in changes if change is not None]


def _windows(day: Day) -> list[tiers.Window]:
    """Return when to look: as the day began and, where the customer has bought since, at that time."""
    account, program = day.book.account, day.program
    try:
        if program is None or not decides_daily(account, program, day.begin):
            return []
        key, bought = (account.merchant_id, account.customer_id), account.last_sale_at
        at = [day.begin, bought] if bought is not None and bought > day.begin else [day.begin]
        return [tiers.window(key, program, until) for until in at]
    except DomainError as error:
        # The program's plugin is absent or fails: tiers stand still, points do not.
        log.warning("tier_not_decided", merchant=account.merchant_id, why=error.reason)
        return []


def _change(day: Day) -> TierChange | None:
    account, program = day.book.account, day.program
    assert program is not None, "nothing is looked up without a program"
    try:
        change = daily_change(account, program, day.seen, day.day, day.begin)
    except DomainError as error:
        # A third party's plugin that fails stops its own feature alone; nothing was changed by then.
        log.warning("tier_not_decided", merchant=account.merchant_id, why=error.reason)
        return None
    if change is not None and _falls(change, program):
        count(metrics.TIER_FALLS)
    return change


def _falls(change: TierChange, program: Program) -> bool:
    """Tell whether a change leads to a lower tier; one that the program no longer has is no rank."""
    if change.from_tier not in program.tiers:
        return False
    return program.tiers.index(change.to_tier) < program.tiers.index(change.from_tier)
