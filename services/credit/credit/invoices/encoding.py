"""Invoices, what is owed by age, and exceptions as the contract shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from credit.accounts import encode
from credit.accounts.model import Account
from credit.invoices.model import AGE_BANDS, Invoice, Marked
from credit.invoices.store import Age
from kit.money import Currency, to_money
from langganan.credit.v1 import invoices_pb2


def invoice(found: Invoice, account: Account, today: date) -> invoices_pb2.Invoice:
    """An invoice in the currency of its account, as it stands on a local date."""
    shown = invoices_pb2.Invoice(
        invoice_id=found.invoice_id,
        customer_id=found.customer_id,
        purchase_id=found.purchase_id or "",
        tender_id=found.tender_id,
        hold_id=found.hold_id or "",
        amount=encode.money(account, found.amount),
        paid=encode.money(account, found.paid),
        returned=encode.money(account, found.returned),
        outstanding=encode.money(account, found.outstanding),
        issued_on=encode.day(found.issued_on),
        due_on=encode.day(found.due_on),
        issued_at=encode.stamp(found.issued_at),
        state=invoices_pb2.InvoiceState.Value(f"INVOICE_STATE_{found.standing}"),
        written_off=encode.money(account, found.written_off),
        days_overdue=found.days_overdue(today),
        store_id=found.store_id,
    )
    if found.settled_at is not None:
        shown.settled_at.CopyFrom(encode.stamp(found.settled_at))
    if found.mark is not None:
        shown.exception = invoices_pb2.ExceptionKind.Value(f"EXCEPTION_KIND_{found.mark}")
    return shown


def exception(marked: Marked, account: Account | None) -> invoices_pb2.InvoiceException:
    """What staff must look at; it has the currency of its account, or of a sale that is nobody's."""
    currency = marked.currency
    if currency is None:
        assert account is not None, "what a customer's sale marked has the currency of the account"
        currency = encode.currency(account)
    shown = invoices_pb2.InvoiceException(
        exception_id=marked.exception_id,
        customer_id=marked.customer_id,
        invoice_id=marked.invoice.invoice_id if marked.customer_id else "",
        purchase_id=marked.purchase_id or "",
        cause_id=marked.cause_id,
        kind=invoices_pb2.ExceptionKind.Value(f"EXCEPTION_KIND_{marked.mark}"),
        amount=to_money(marked.amount, currency),
        marked_at=encode.stamp(marked.at),
        note=marked.note,
        staff_ref=marked.staff_ref,
    )
    if marked.resolved_at is not None:
        shown.resolved_at.CopyFrom(encode.stamp(marked.resolved_at))
    return shown


def ageing(currency: Currency, owed: Mapping[int, Age]) -> invoices_pb2.Ageing:
    """What is owed by age: the band's place among AGE_BANDS, 0: current."""
    ages = [owed.get(place, Age(0, 0)) for place in range(len(AGE_BANDS) + 1)]
    return invoices_pb2.Ageing(
        bands=[
            invoices_pb2.AgeingBand(
                band=invoices_pb2.AgeBand.ValueType(place + 1),
                amount=to_money(age.amount, currency),
                invoices=age.invoices,
            )
            for place, age in enumerate(ages)
        ],
        total=to_money(sum(age.amount for age in ages), currency),
    )
