"""What is said to one customer: each message, when it may go, and why some never do."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.demo.oracle.days import local_time, within
from local.demo.oracle.invoices import Invoice

Hours = tuple[datetime.time, datetime.time]
# The hours of the demo's shop: nothing but confirmations is sent, greetings are sent.
QUIET = (datetime.time(21), datetime.time(9, 30))
GREETING = (datetime.time(9), datetime.time(17))
CONFIRMATION, RECEIVED = "purchase-confirmation", "payment-received"
DUE, OVERDUE = "payment-due", "payment-overdue"
EXPIRING, TIER, BIRTHDAY = "points-expiring", "tier-changed", "birthday"
# A newer message replaces an older unsent one of its family.
FAMILIES = ({DUE, OVERDUE}, {EXPIRING}, {TIER})
NEVER_HELD = {CONFIRMATION, RECEIVED}
PENDING, SENT, SKIPPED = "PENDING", "SENT", "SKIPPED"
NO_CHANNEL, NO_CONSENT, PAID = "NO_CHANNEL", "NO_CONSENT", "PAID"
REPLACED, NOT_AFTER_PASSED = "REPLACED", "NOT_AFTER_PASSED"


@dataclass(slots=True)
class Letter:
    """One message; `reasons` are all that are true of a skipped one, of which notify names one.

    `not_after` is an instant, `invoices` are those that a reminder lists.
    """

    kind: str
    cause: str
    not_after: int
    invoices: Sequence[Invoice] = ()
    state: str = PENDING
    reasons: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Post:
    """The messages of one customer, by kind and cause: reachable by e-mail or not at all."""

    zone: str
    email: bool
    greets: bool
    quiet: Hours = QUIET
    letters: dict[tuple[str, str], Letter] = field(default_factory=dict)
    waiting: list[Letter] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many reach the customer."""
        return sum(letter.state == SENT for letter in self.letters.values())

    def write(self, letter: Letter) -> None:
        """Make a message, once for each kind and cause; it replaces what waits of its family."""
        if (letter.kind, letter.cause) in self.letters:
            return
        for older in self.waiting:
            if any({letter.kind, older.kind} <= family for family in FAMILIES):
                older.reasons |= {REPLACED, *self._refusals(older)}
                older.state = SKIPPED
        self.letters[letter.kind, letter.cause] = letter
        self.waiting = [one for one in self.waiting if one.state == PENDING] + [letter]

    def attempt(self, now: int) -> None:
        """Send or skip what may go now; what is held stays."""
        for letter in self.waiting:
            if now > letter.not_after:
                letter.reasons.add(NOT_AFTER_PASSED)
            letter.reasons |= self._refusals(letter)
            if NOT_AFTER_PASSED in letter.reasons or not self._held(letter.kind, now):
                letter.state = SKIPPED if letter.reasons else SENT
        self.waiting = [one for one in self.waiting if one.state == PENDING]

    def _refusals(self, letter: Letter) -> set[str]:
        refusals = set()
        if letter.kind == BIRTHDAY and not self.greets:
            refusals.add(NO_CONSENT)
        elif not self.email:
            refusals.add(NO_CHANNEL)
        if letter.invoices and not any(invoice.outstanding for invoice in letter.invoices):
            refusals.add(PAID)
        return refusals

    def _held(self, kind: str, now: int) -> bool:
        time = local_time(now, self.zone)
        if kind in NEVER_HELD:
            return False
        return within(time, *self.quiet) or (kind == BIRTHDAY and not within(time, *GREETING))
