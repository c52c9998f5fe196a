"""Reminders of what is owed: on which local dates one is due, which kind, and which invoices it lists."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from local.demo.oracle.invoices import Invoice

HOUR = 9  # local, from which the day's notice is given
BEFORE = (3, 0)  # days before the due date
AFTER = (1, 7, 14)  # days after it
SOON = 3  # invoices due within so many days are listed
BLOCK_AFTER = 14  # days past the due date, after which nothing more is approved
PAYMENT_DUE, PAYMENT_OVERDUE = "payment-due", "payment-overdue"


@dataclass(frozen=True, slots=True)
class Listed:
    """An invoice as a notice lists it: what was owed on it that day, rupiah."""

    invoice: Invoice
    outstanding: int


@dataclass(frozen=True, slots=True)
class Notice:
    """The one notice of a local date."""

    kind: str
    local_date: datetime.date
    overdue: tuple[Listed, ...]
    due: tuple[Listed, ...]

    @property
    def invoices(self) -> tuple[Invoice, ...]:
        """All that it lists."""
        return tuple(one.invoice for one in (*self.overdue, *self.due))


def notice_of(invoices: Sequence[Invoice], today: datetime.date) -> Notice | None:
    """Give the notice of a local date, if an open invoice has come to a step."""
    unpaid = [invoice for invoice in invoices if invoice.outstanding]
    if not any(_at_a_step(invoice, today) for invoice in unpaid):
        return None
    overdue = tuple(Listed(one, one.outstanding) for one in unpaid if one.due_on < today)
    until = today + datetime.timedelta(days=SOON)
    due = tuple(Listed(one, one.outstanding) for one in unpaid if today <= one.due_on <= until)
    return Notice(PAYMENT_OVERDUE if overdue else PAYMENT_DUE, today, overdue, due)


def _at_a_step(invoice: Invoice, today: datetime.date) -> bool:
    left = (invoice.due_on - today).days
    return left in BEFORE or -left in AFTER


def blocked(invoices: Sequence[Invoice], today: datetime.date) -> bool:
    """Tell whether the oldest open invoice is so long overdue that nothing more is approved."""
    limit = today - datetime.timedelta(days=BLOCK_AFTER)
    return any(invoice.outstanding and invoice.due_on < limit for invoice in invoices)
