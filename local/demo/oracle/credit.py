"""Credit: holds against the limit, invoices with due dates, payments to the oldest invoice first."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from local.demo.journal import ON_ACCOUNT, Charged, CreditAsked, Paid, SaleDone
from local.demo.oracle.days import local_date, local_time
from local.demo.oracle.dunning import HOUR, Notice, blocked, notice_of
from local.demo.oracle.invoices import Invoice
from local.demo.oracle.returns import Split

HELD_FOR = 15 * 60  # seconds
OVER_LIMIT, OVERDUE = "OVER_LIMIT", "OVERDUE"
DECLINED, PENDING, CAPTURED, VOIDED, EXPIRED = "DECLINED", "PENDING", "CAPTURED", "VOIDED", "EXPIRED"


@dataclass(slots=True)
class CreditBook:
    """The credit account of one customer, with its zone for dates.

    `balance` is what was paid or refunded beyond what was owed.
    """

    limit: int
    terms_days: int
    zone: str
    invoices: list[Invoice] = field(default_factory=list)
    payments: dict[str, dict[str, int]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    held: dict[str, tuple[int, int]] = field(default_factory=dict)  # rupiah, until when
    holds: dict[str, str] = field(default_factory=dict)  # where each that was asked for stands
    balance: int = 0
    told: datetime.date = datetime.date.min

    @property
    def owed(self) -> int:
        """What is owed over all invoices, rupiah."""
        return sum(invoice.outstanding for invoice in self.invoices)

    @property
    def used(self) -> int:
        """What counts against the limit, rupiah."""
        return self.owed - self.balance + sum(amount for amount, _ in self.held.values())

    def overdue(self, now: int) -> int:
        """What is owed past its due date, rupiah."""
        today = local_date(now, self.zone)
        return sum(invoice.outstanding for invoice in self.invoices if invoice.due_on < today)

    def objections(self, amount: int, now: int) -> set[str]:
        """Say all that speaks against a hold of this amount; nothing: it is approved."""
        against = set()
        if not 0 < amount <= self.limit - self.used:
            against.add(OVER_LIMIT)
        if blocked(self.invoices, local_date(now, self.zone)):
            against.add(OVERDUE)
        return against

    def hold(self, asked: CreditAsked, now: int) -> None:
        """Keep credit aside for a sale that is about to come, unless it was declined or given back."""
        if not asked.approved or asked.voided:
            self.holds[asked.hold_id] = VOIDED if asked.voided else DECLINED
            return
        self.holds[asked.hold_id] = PENDING
        self.held[asked.hold_id] = (asked.amount, now + HELD_FOR)

    def sweep(self, now: int) -> Notice | None:
        """Let holds expire that nobody used; give the day's notice once its hour has come."""
        for hold_id in [hold_id for hold_id, (_, until) in self.held.items() if until <= now]:
            del self.held[hold_id]
            self.holds[hold_id] = EXPIRED
        today = local_date(now, self.zone)
        if today <= self.told or local_time(now, self.zone).hour < HOUR:
            return None
        self.told = today
        notice = notice_of(self.invoices, today)
        if notice:
            self.notices.append(notice)
        return notice

    def sell(self, sale: SaleDone) -> None:
        """Issue the invoices of a purchase; credit balance pays them at once."""
        for tender in sale.tenders:
            if tender.kind == ON_ACCOUNT:
                self._issue(tender.reference, sale.purchase_id, tender.tender_id, tender.amount, sale.at)

    def charge(self, charged: Charged) -> None:
        """Issue the invoice of a charge without a purchase."""
        self._issue(charged.hold_id, charged.hold_id, "", charged.amount, charged.at)

    def _issue(self, hold_id: str, purchase_id: str, tender_id: str, amount: int, at: int) -> None:
        self.held.pop(hold_id, None)
        self.holds[hold_id] = CAPTURED
        issued = local_date(at, self.zone)
        due = issued + datetime.timedelta(days=self.terms_days)
        paid = min(self.balance, amount)
        self.balance -= paid
        self.invoices.append(Invoice(purchase_id, tender_id, amount, amount - paid, issued, due))

    def pay(self, paid: Paid) -> None:
        """Put a payment to the oldest invoices first; what is more than is owed becomes balance."""
        amount, parts = paid.amount, dict[str, int]()
        for invoice in self.invoices:
            part = min(amount, invoice.outstanding)
            if part:
                invoice.outstanding -= part
                parts[invoice.purchase_id] = part
                amount -= part
        self.payments[paid.payment_id] = parts
        self.balance += amount

    def give_back(self, purchase_id: str, split: Split) -> None:
        """Book a return's refund on account: off what its invoice still owes, the rest as balance."""
        for refund in split.refunds:
            for invoice in self.invoices:
                if (invoice.purchase_id, invoice.tender_id) == (purchase_id, refund.tender_id):
                    off = min(invoice.outstanding, refund.amount)
                    invoice.outstanding -= off
                    self.balance += refund.amount - off
