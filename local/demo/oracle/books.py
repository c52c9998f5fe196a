"""The books of one customer, and what time alone does to them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from local.demo.journal import SaleDone
from local.demo.oracle import post
from local.demo.oracle.birthdays import greeted_on
from local.demo.oracle.credit import CreditBook
from local.demo.oracle.days import DAY, ending, local_date
from local.demo.oracle.dunning import Notice
from local.demo.oracle.points import Expiring, PointsBook
from local.demo.oracle.post import Letter, Post
from local.demo.oracle.returns import Remainder
from local.demo.oracle.tiers import TierChange
from local.demo.people import Person

CONFIRMED_WITHIN = 6 * 3600  # seconds
TIER_TOLD_WITHIN = 3 * DAY


@dataclass(slots=True)
class Purchase:
    """What a purchase must be, and what must be left of it."""

    sale: SaleDone
    store: int
    total: int
    left: Remainder


@dataclass(slots=True)
class Books:
    """What the books of one customer must say; `complaints` are wrong answers that the till was given."""

    customer_id: str
    person: Person
    zone: str
    points: PointsBook
    post: Post
    credit: CreditBook | None = None
    purchases: dict[str, Purchase] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def sweep(self, now: int) -> None:
        """Do what time brings, then send what may go: all of it comes before the facts of this stop."""
        expiring, change = self.points.sweep(now)
        self.tell_tier(change, now)
        if expiring:
            self._tell_expiring(expiring)
        notice = self.credit.sweep(now) if self.credit else None
        if notice:
            self._remind(notice)
        self._greet(local_date(now, self.zone))
        self.post.attempt(now)

    def confirm(self, purchase_id: str, now: int) -> None:
        """Confirm a purchase."""
        self.post.write(Letter(post.CONFIRMATION, purchase_id, now + CONFIRMED_WITHIN))

    def receipt(self, payment_id: str, now: int) -> None:
        """Tell that a payment was received."""
        self.post.write(Letter(post.RECEIVED, payment_id, now + CONFIRMED_WITHIN))

    def tell_tier(self, change: TierChange | None, now: int) -> None:
        """Tell of another tier; the first tier, revision 1, is not told."""
        if change:
            revision = 1 + len(self.points.standing.changes)
            self.post.write(Letter(post.TIER, str(revision), now + TIER_TOLD_WITHIN))

    def _tell_expiring(self, expiring: Expiring) -> None:
        until = ending(min(expiring.points), self.zone)
        self.post.write(Letter(post.EXPIRING, expiring.local_date.isoformat(), until))

    def _remind(self, notice: Notice) -> None:
        until = ending(notice.local_date + datetime.timedelta(days=1), self.zone)
        self.post.write(Letter(notice.kind, notice.local_date.isoformat(), until, notice.invoices))

    def _greet(self, today: datetime.date) -> None:
        """Greet once a local year."""
        born = self.person.born
        if born and greeted_on(born, today.year) == today:
            self.post.write(Letter(post.BIRTHDAY, str(today.year), ending(today, self.zone)))
