"""Credit as a shop understands it, written down once more: one shop's books, and what moves them.

This is the reference that the service is compared with. It has no batches, locks, database or wire, and it
keeps no balance: what is owed is the sum over invoices, what is held the sum over pending holds, and the
credit balance the sum over the ledger. Money is int, in minor units. Answers have the contract's field names.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NEVER = datetime.min.replace(tzinfo=UTC)
BLOCK_AFTER = timedelta(days=14)
Answer = dict[str, Any]


class Refused(Exception):
    """A call that is refused, with its reason and what it tells; it changes and remembers nothing."""

    def __init__(self, reason: str, **told: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.told = told


@dataclass
class Account:
    """What may be owed, and until when it must be paid."""

    status: str = "UNOPENED"
    zone: str = "UTC"
    limit: int = 0
    net_days: int = 0
    due_day: int = 0
    override: tuple[int, datetime] | None = None
    wished: int = 0
    erased: bool = False
    opened_at: datetime | None = None
    revision: int = 0
    changes: list[Answer] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether there is an account at all."""
        return self.status != "UNOPENED"

    def day(self, at: datetime) -> date:
        """The local date of an instant."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def due_on(self, at: datetime) -> date:
        """When what is sold at an instant is due: net days later, or on the next due day of a month."""
        day = self.day(at)
        if not self.due_day:
            return day + timedelta(days=self.net_days)
        while True:
            day += timedelta(days=1)
            if day.day == min(self.due_day, monthrange(day.year, day.month)[1]):
                return day


@dataclass
class Hold:
    """Credit kept aside; `asked` is None when it was voided before anybody asked for it."""

    customer: str
    state: str
    decided_at: datetime
    asked: tuple[Any, ...] | None = None
    amount: int | None = None
    expires_at: datetime | None = None
    declined: str = ""
    available: int = 0
    captured: int | None = None
    invoice_id: str = ""


@dataclass
class Invoice:
    """What one charge made a customer owe; `by_credit` is what credit balance paid of it at once."""

    invoice_id: str
    customer: str
    amount: int
    issued_at: datetime
    issued_on: date
    due_on: date
    purchase_id: str
    tender_id: str
    hold_id: str
    mark: str
    paid: int = 0
    returned: int = 0
    written_off: int = 0
    by_credit: int = 0
    settled_at: datetime | None = None

    @property
    def owed(self) -> int:
        """What is still owed."""
        return self.amount - self.paid - self.returned - self.written_off

    @property
    def state(self) -> str:
        """Where it stands."""
        if self.owed:
            return "PARTIALLY_PAID" if self.paid else "OPEN"
        if self.written_off:
            return "WRITTEN_OFF"
        return "CANCELLED" if self.returned == self.amount else "PAID"


@dataclass
class Entry:
    """One line of the ledger: how one cause moves what is owed and the credit balance."""

    customer: str
    cause: str
    cause_id: str
    effect: str
    invoice_id: str
    posted: int
    credit: int
    at: datetime


@dataclass
class Payment:
    """Money paid on account; `booked` is how many ledger entries there were before its own."""

    customer: str
    asked: tuple[Any, ...]
    amount: int
    method: str
    reference: str
    named: tuple[str, ...]
    effective_at: datetime
    received_at: datetime
    outstanding_after: int
    state: str = "PENDING"
    allocations: list[tuple[str, int]] = field(default_factory=list)
    unapplied: int = 0
    booked: int = 0
    cleared_at: datetime | None = None
    reversed_at: datetime | None = None
    reason: str = "UNSPECIFIED"
    owed_again: list[tuple[str, int]] = field(default_factory=list)
    taken: int = 0


@dataclass
class Books:
    """One shop. `name` gives what has no id of its own one that depends on its cause alone."""

    merchant: str
    name: Callable[..., str]
    now: datetime
    heard: datetime = NEVER
    accounts: dict[str, Account] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    exceptions: dict[str, Answer] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    facts: list[Answer] = field(default_factory=list)
    requests: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    parked: dict[str, list[Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def who(self, customer: str) -> str:
        """Whom an id means: the survivor of a customer who was merged into another."""
        return self.aliases.get(customer, customer)

    def account(self, customer: str) -> Account:
        """The account of a customer, who need not have opened one."""
        return self.accounts.setdefault(customer, Account())

    def opened(self, customer: str) -> Account:
        """The account of a customer who has one."""
        account = self.account(customer)
        if not account.is_open:
            raise Refused("ACCOUNT_NOT_FOUND")
        return account

    def repeats(self, kind: str, request_id: str, *asked: Any) -> bool:
        """Whether a request was made before; under its id nothing else can be asked."""
        before = self.requests.get((kind, request_id))
        if before not in (None, asked):
            raise Refused("IDEMPOTENCY_CONFLICT")
        return before is not None

    def invoices_of(self, customer: str, *, open_only: bool = False) -> list[Invoice]:
        """A customer's invoices, in the order of their sales; of one time, as they were booked."""
        found = [i for i in self.invoices.values() if i.customer == customer and (i.owed or not open_only)]
        return sorted(found, key=lambda i: i.issued_at)

    def owed(self, customer: str) -> int:
        """What is owed on invoices."""
        return sum(i.owed for i in self.invoices_of(customer))

    def held(self, customer: str) -> int:
        """What pending holds keep aside."""
        return sum(
            h.amount or 0 for h in self.holds.values() if (h.customer, h.state) == (customer, "PENDING")
        )

    def credit(self, customer: str) -> int:
        """What the shop owes the customer."""
        return sum(e.credit for e in self.entries if e.customer == customer)

    def override(self, customer: str) -> tuple[int, datetime] | None:
        """The limit that is in force instead of the account's own: it ends by itself."""
        override = self.account(customer).override
        return override if override and self.now < override[1] else None

    def limit(self, customer: str) -> int:
        """The limit in force."""
        override = self.override(customer)
        return override[0] if override else self.account(customer).limit

    def payable(self, customer: str) -> int:
        """What may be paid out: all of the credit balance but what pending holds rest on beside the limit."""
        room = max(0, self.limit(customer) - self.owed(customer))
        return max(0, self.credit(customer) - max(0, self.held(customer) - room))

    def available(self, customer: str) -> int:
        """What would be approved."""
        account, limit = self.account(customer), self.limit(customer)
        if account.status != "ACTIVE" or account.erased:
            return 0
        return max(0, limit - self.owed(customer) - self.held(customer) + self.credit(customer))

    def overdue(self, customer: str) -> list[Invoice]:
        """The open invoices past their due date."""
        today = self.account(customer).day(self.now)
        return [i for i in self.invoices_of(customer, open_only=True) if i.due_on < today]

    def is_blocked(self, customer: str) -> bool:
        """Whether something is overdue for longer than the shop waits."""
        today = self.account(customer).day(self.now)
        return any(today - i.due_on > BLOCK_AFTER for i in self.overdue(customer))

    def enter(
        self, customer: str, cause: str, cause_id: str, effect: str, invoice_id: str, posted: int,
        credit: int, at: datetime,
    ) -> None:  # fmt: skip
        """Append to the ledger what changes something."""
        if posted or credit:
            self.entries.append(Entry(customer, cause, cause_id, effect, invoice_id, posted, credit, at))

    def say(self, fact: str, customer: str, **told: Any) -> None:
        """Publish an event."""
        self.facts.append({"type": fact, "customer_id": customer} | told)

    def charge(
        self, customer: str, cause: str, cause_id: str, amount: int, at: datetime, *, invoice_id: str,
        purchase_id: str = "", tender_id: str = "", hold_id: str = "", mark: str = "",
        due_at_once: bool = False,
    ) -> Invoice:  # fmt: skip
        """Make a customer owe something; credit balance pays of it what it can, at once."""
        account = self.account(customer)
        issued_on = account.day(at)
        invoice = Invoice(
            invoice_id, customer, amount, at, issued_on, issued_on if due_at_once else account.due_on(at),
            purchase_id, tender_id, hold_id, mark,
        )  # fmt: skip
        used = min(self.credit(customer), amount)
        self.invoices[invoice_id] = invoice
        self.enter(customer, cause, cause_id, "CHARGED", invoice_id, amount, 0, at)
        self.enter(customer, cause, cause_id, "CREDIT_USED", invoice_id, -used, -used, at)
        self.say(
            "invoice-issued", customer, invoice_id=invoice_id, purchase_id=purchase_id, tender_id=tender_id,
            hold_id=hold_id, amount=amount, issued_on=issued_on, due_on=invoice.due_on, exception=mark,
            issued_at=at,
        )  # fmt: skip
        invoice.paid = invoice.by_credit = used
        self.settle(invoice, cause_id, at)
        return invoice

    def settle(self, invoice: Invoice, cause_id: str, at: datetime) -> None:
        """Note, and say, that nothing is owed on an invoice any more."""
        if invoice.owed == 0 and invoice.settled_at is None:
            invoice.settled_at = at
            self.say(
                "invoice-paid", invoice.customer, invoice_id=invoice.invoice_id,
                purchase_id=invoice.purchase_id, cause_id=cause_id, paid_at=at,
            )  # fmt: skip

    def mark(
        self,
        customer: str,
        invoice_id: str,
        purchase_id: str,
        cause_id: str,
        kind: str,
        amount: int,
        at: datetime,
    ) -> None:
        """List, once, what staff must look at; without a customer nobody owes it."""
        named = (invoice_id, cause_id, kind) if customer else (purchase_id, invoice_id, "nobody's")
        exception_id = self.name(self.merchant, *named)
        told = {
            "exception_id": exception_id, "customer_id": customer,
            "invoice_id": invoice_id if customer else "", "purchase_id": purchase_id, "cause_id": cause_id,
            "kind": kind, "amount": amount, "marked_at": at, "resolved_at": None, "note": "", "staff_ref": "",
        }  # fmt: skip
        self.exceptions.setdefault(exception_id, told)
