"""Credit: holds against the limit, invoices with due dates, payments to the oldest invoice first."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from local.demo.journal import ON_ACCOUNT, Paid, SaleDone
from local.demo.oracle.returns import Split


@dataclass(slots=True)
class Invoice:
    """What one on-account tender of a purchase became; amounts in rupiah."""

    purchase_id: str
    tender_id: str
    amount: int
    outstanding: int
    issued_on: datetime.date
    due_on: datetime.date


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
    balance: int = 0

    @property
    def owed(self) -> int:
        """What is owed over all invoices, rupiah."""
        return sum(invoice.outstanding for invoice in self.invoices)

    @property
    def used(self) -> int:
        """What counts against the limit, rupiah."""
        return self.owed - self.balance

    def approves(self, amount: int) -> bool:
        """Say whether a hold of this amount fits into the limit."""
        return 0 < amount <= self.limit - self.used

    def sell(self, sale: SaleDone) -> None:
        """Issue the invoices of a purchase; credit balance pays them at once."""
        issued = datetime.datetime.fromtimestamp(sale.at, ZoneInfo(self.zone)).date()
        for tender in sale.tenders:
            if tender.kind != ON_ACCOUNT:
                continue
            due = issued + datetime.timedelta(days=self.terms_days)
            paid = min(self.balance, tender.amount)
            self.balance -= paid
            self.invoices.append(
                Invoice(sale.purchase_id, tender.tender_id, tender.amount, tender.amount - paid, issued, due)
            )

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
