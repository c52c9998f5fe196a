"""What a payment reminder shows of the invoices that are still open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kit.money import Currency
from notify.messages.model import OpenInvoice
from notify.templates.values import Amount, Value


def shown(invoices: Sequence[OpenInvoice], today: date, currency: Currency) -> dict[str, Value]:
    """Return the variables of a reminder made on the local date `today`; a part that is empty is left out."""
    overdue = [i for i in invoices if i.due_on < today]
    due = [i for i in invoices if i.due_on >= today]
    values: dict[str, Value] = {"total": _sum(invoices, currency)}
    if overdue:
        values["overdue_invoices"] = len(overdue)
        values["overdue_amount"] = _sum(overdue, currency)
        values["overdue_since"] = min(i.due_on for i in overdue)
    if due:
        values["due_invoices"] = len(due)
        values["due_amount"] = _sum(due, currency)
        values["due_on"] = min(i.due_on for i in due)
    return values


def _sum(invoices: Sequence[OpenInvoice], currency: Currency) -> Amount:
    return Amount(sum(i.outstanding for i in invoices), currency.code, currency.digits)
