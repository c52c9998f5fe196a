"""The ledger of one customer: entries appended, lots given and spent, the account as their fold. Pure.

Points in lots less reserved ones are active. What must be taken and is not active is owed (negative) and
repaid from the next points, so a reservation always keeps what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from loyalty.days import begins

RESTORED_LIVE = timedelta(days=30)
"""Restored points live at least so long."""


@dataclass(slots=True)
class Account:
    """The account row. `time_zone` and `currency_code` are "" until an event has said them."""

    merchant_id: str
    customer_id: str
    currency_code: str = ""
    minor_digits: int = 0
    time_zone: str = ""
    in_lots: int = 0
    reserved: int = 0
    negative: int = 0
    last_entry: int = 0
    tier: str = ""
    tier_since: datetime | None = None
    tier_revision: int = 0
    pinned: bool = False
    pinned_until: datetime | None = None
    last_sale_at: datetime | None = None
    merged_into: str | None = None
    erased_at: datetime | None = None
    opened_at: datetime | None = None
    swept_on: date | None = None

    @property
    def day_at(self) -> datetime:
        """When the day begins that the daily sweep has not looked at; long ago when it never has."""
        if self.swept_on is None:
            return datetime(1970, 1, 1, tzinfo=UTC)
        return begins(self.swept_on + timedelta(days=1), self.time_zone)

    def kept(self, text: str) -> str:
        """What is kept of a text that staff write: nothing of an erased customer."""
        return "" if self.erased_at is not None else text

    @property
    def balance(self) -> int:
        """The sum of all entries; below 0 when points are owed."""
        return self.in_lots - self.negative

    @property
    def active(self) -> int:
        """Points that are not reserved, those that lapsed (see expiry.py) included; 0 while some are owed."""
        return self.in_lots - self.reserved

    def pinned_at(self, at: datetime) -> bool:
        """Tell whether staff's choice of tier holds at an instant."""
        return self.pinned and (self.pinned_until is None or at < self.pinned_until)


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to an entry: PURCHASE, RETURN, ADJUSTMENT, MERGE or EXPIRY, its id, its line or tender.

    Of an EXPIRY the id is the lot's entry_no, the line the day or the return for which it was booked.
    """

    kind: str
    id: str
    line_id: str = ""
    purchase_id: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger; points signed, never 0."""

    entry_no: int
    kind: str
    points: int
    balance_after: int
    cause: Cause
    program_version: int
    effective_at: datetime


@dataclass(slots=True)
class Lot:
    """Points given together; `expires_on` is their last local day, None: they do not expire."""

    entry_no: int
    points: int
    left: int
    expires_on: date | None
    noticed_on: date | None = None

    def is_past(self, day: date) -> bool:
        """Tell whether a local day lies behind the last one."""
        return self.expires_on is not None and self.expires_on < day

    def turn(self, day: date | None) -> tuple[bool, date, int]:
        """Order of spending: soonest expiry first, non-expiring last, older before newer.

        What was past its last day on `day` comes after all that.
        """
        return (day is not None and self.is_past(day), self.expires_on or date.max, self.entry_no)


@dataclass(frozen=True, slots=True)
class Hold:
    """Points of a reservation, and the local day on which it was made."""

    points: int
    day: date


@dataclass(slots=True)
class Source:
    """Points that a redemption took from a lot (entry_no 0: from none) and that are not yet restored."""

    entry_no: int
    left: int
    expires_on: date | None


@dataclass(slots=True)
class Book:
    """An account with its open lots and what has been appended to it; the fold of a batch mutates it.

    `holds`, by reservation in the order of making, are loaded only where some lot is past its last day.
    """

    account: Account
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    new_lots: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    changed: bool = False

    def give(
        self,
        kind: str,
        points: int,
        cause: Cause,
        expires_on: date | None,
        version: int,
        at: datetime,
        held: int = 0,
    ) -> Entry:
        """Append points > 0 as a lot; what is owed is repaid first from those that are not `held`."""
        entry = self._append(kind, points, cause, version, at)
        self._add_lot(entry.entry_no, points, expires_on, held)
        return entry

    def take(
        self,
        kind: str,
        points: int,
        cause: Cause,
        version: int,
        at: datetime,
        first: int = 0,
        day: date | None = None,
    ) -> list[Source]:
        """Take points > 0 out of active lots, lot `first` before others, and owe what is missing.

        `day` is the local one on which they were promised: lots past their last day by then are used last.
        Returns where they came from, in order; a source without lot last.
        """
        self._append(kind, -points, cause, version, at)
        return self._draw(points, first, day)

    def take_back(
        self, points: int, expired: int, cause: Cause, version: int, at: datetime, own: int, day: date
    ) -> int:
        """Take earned points > 0 back, lot `own` before others; return how many of them had expired.

        Of those up to `expired` the expiry is undone first, so that nobody loses a point twice.
        """
        spared = min(points, expired)
        if spared:
            self._append("EXPIRE", spared, cause, version, at)
        # They are back for this entry alone and in no lot: what follows takes them.
        self.account.in_lots += spared
        self._append("TAKE_BACK", -points, cause, version, at)
        self.account.in_lots -= spared
        self._draw(points - spared, own, day)
        return spared

    def restore(
        self,
        points: int,
        sources: Sequence[Source],
        cause: Cause,
        fallback: date | None,
        version: int,
        at: datetime,
        today: date,
    ) -> None:
        """Give redeemed points back to where they came from, the last used first; mutates `sources`.

        They keep their expiry but live 30 days at least: those that would not become a lot of their own.
        What is owed is repaid first. Points that came from no lot expire on `fallback`.
        """
        entry = self._append("RESTORE", points, cause, version, at)
        owed = repaid = min(points, self.account.negative)
        self.account.negative -= repaid
        least = today + RESTORED_LIVE
        fresh, ends = 0, list[date | None]()
        for source in reversed(sources):
            part = min(source.left, points)
            source.left -= part
            points -= part
            kept = part - min(part, owed)
            owed -= part - kept
            lot = self.lots.get(source.entry_no)
            if lot is not None and (lot.expires_on is None or lot.expires_on >= least):
                lot.left += kept
                self.touched.add(lot.entry_no)
                self.account.in_lots += kept
            elif kept:
                fresh += kept
                ends.append(fallback if lot is None else least)
        if fresh:
            known = [end for end in ends if end is not None]
            self._add_lot(entry.entry_no, fresh, max([*known, least]) if len(known) == len(ends) else None)

    def hold(self, points: int, by: str, day: date) -> None:
        """Reserve active points for reservation `by`, made on a local day."""
        assert 0 <= points <= self.account.active, "more is reserved than is active"
        self.account.reserved += points
        self.holds[by] = Hold(points, day)
        self.changed = True

    def unhold(self, points: int, by: str) -> None:
        """Give the points of reservation `by` free; what is owed is repaid from them."""
        assert 0 <= points <= self.account.reserved, "more is freed than is reserved"
        self.account.reserved -= points
        self.holds.pop(by, None)
        self.changed = True
        self.settle()

    def settle(self) -> None:
        """Repay what is owed out of active points; the ledger's sum does not change by it."""
        repaid = min(self.account.negative, self.account.active)
        if repaid:
            self._spend(repaid, 0, None)
            self.account.negative -= repaid
            self.changed = True

    def expire(self, lot: Lot, points: int, cause: Cause, at: datetime) -> None:
        """Append that points > 0 of a lot are gone; no hold keeps them."""
        assert 0 < points <= min(lot.left, self.account.active), "reserved points do not expire"
        self._append("EXPIRE", -points, cause, 0, at)
        lot.left -= points
        self.account.in_lots -= points
        self.touched.add(lot.entry_no)

    def mark_noticed(self, lot: Lot, day: date) -> None:
        """Keep on which local day it was told that a lot's points will expire."""
        lot.noticed_on = day
        self.touched.add(lot.entry_no)
        self.changed = True

    def _append(self, kind: str, points: int, cause: Cause, version: int, at: datetime) -> Entry:
        self.account.last_entry += 1
        balance = self.account.balance + points
        entry = Entry(self.account.last_entry, kind, points, balance, cause, version, at)
        self.entries.append(entry)
        self.changed = True
        return entry

    def _add_lot(self, entry_no: int, points: int, expires_on: date | None, held: int = 0) -> None:
        repaid = min(points - held, self.account.negative)
        self.account.reserved += held
        self.account.negative -= repaid
        self.account.in_lots += points - repaid
        self.lots[entry_no] = Lot(entry_no, points, points - repaid, expires_on)
        self.new_lots.add(entry_no)

    def _draw(self, points: int, first: int, day: date | None) -> list[Source]:
        """Take points from active lots and owe what is missing; tell where they came from, in order."""
        taken = self._spend(min(points, self.account.active), first, day)
        missing = points - sum(source.left for source in taken)
        if missing:
            self.account.negative += missing
            taken.append(Source(0, missing, None))
        return taken

    def _spend(self, points: int, first: int, day: date | None) -> list[Source]:
        """Take points from lots, `first`, then each at its turn."""
        taken: list[Source] = []
        order = sorted(
            (lot for lot in self.lots.values() if lot.left),
            key=lambda lot: (lot.entry_no != first, *lot.turn(day)),
        )
        for lot in order:
            if not points:
                break
            part = min(lot.left, points)
            lot.left -= part
            points -= part
            self.account.in_lots -= part
            self.touched.add(lot.entry_no)
            taken.append(Source(lot.entry_no, part, lot.expires_on))
        assert not points, "the lots hold less than the account says; were they loaded?"
        return taken
