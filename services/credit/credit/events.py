"""What the credit service says, on topic "credit", keyed by the customer of the account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from credit.accounts.encode import day, stamp
from credit.accounts.model import Account
from credit.invoices.model import Invoice
from credit.notices.model import Kind, Notice
from credit.payments.model import Payment
from kit.events import Outgoing
from langganan.events.v1 import credit_pb2

TOPIC = "credit"


def invoice_issued(account: Account, invoice: Invoice) -> Outgoing:
    """An on-account sale or a captured hold became an invoice."""
    payload = credit_pb2.InvoiceIssued(
        merchant_id=invoice.merchant_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.invoice_id,
        purchase_id=invoice.purchase_id or "",
        tender_id=invoice.tender_id,
        hold_id=invoice.hold_id or "",
        amount=invoice.amount,
        currency_code=account.currency_code,
        minor_digits=account.minor_digits,
        issued_on=day(invoice.issued_on),
        due_on=day(invoice.due_on),
        exception=invoice.mark or "",
        issued_at=stamp(invoice.issued_at),
    )
    return Outgoing("invoice-issued", invoice.merchant_id, invoice.customer_id, payload, invoice.issued_at)


def invoice_paid(invoice: Invoice, cause_id: str, at: datetime) -> Outgoing:
    """Nothing is owed on an invoice any more."""
    payload = credit_pb2.InvoicePaid(
        merchant_id=invoice.merchant_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.invoice_id,
        purchase_id=invoice.purchase_id or "",
        cause_id=cause_id,
        paid_at=stamp(at),
    )
    return Outgoing("invoice-paid", invoice.merchant_id, invoice.customer_id, payload, at)


def invoice_written_off(
    account: Account, invoice: Invoice, amount: int, cause_id: str, at: datetime
) -> Outgoing:
    """What was still owed on an invoice, minor units, was given up."""
    payload = credit_pb2.InvoiceWrittenOff(
        merchant_id=invoice.merchant_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.invoice_id,
        purchase_id=invoice.purchase_id or "",
        amount=amount,
        currency_code=account.currency_code,
        minor_digits=account.minor_digits,
        cause_id=cause_id,
        written_off_at=stamp(at),
    )
    return Outgoing("invoice-written-off", invoice.merchant_id, invoice.customer_id, payload, at)


def payment_received(account: Account, payment: Payment, at: datetime, heard_at: datetime) -> Outgoing:
    """A customer paid on account; `account` is the one after the payment.

    `at` is the payment's own time; the event's is when we heard of it, from which a receipt is of use.
    """
    payload = credit_pb2.PaymentReceived(
        merchant_id=account.merchant_id,
        customer_id=account.customer_id,
        payment_id=payment.payment_id,
        amount=payment.amount,
        currency_code=account.currency_code,
        minor_digits=account.minor_digits,
        allocations=_allocations(payment.allocations),
        unapplied=payment.unapplied,
        outstanding=account.posted,
        received_at=stamp(at),
    )
    return Outgoing("payment-received", account.merchant_id, account.customer_id, payload, heard_at)


def payment_reversed(
    account: Account, payment: Payment, owed_again: Sequence[tuple[str, int]], taken: int, at: datetime
) -> Outgoing:
    """A payment turned out not to be one; `account` is the one after it, amounts are minor units."""
    payload = credit_pb2.PaymentReversed(
        merchant_id=account.merchant_id,
        customer_id=account.customer_id,
        payment_id=payment.payment_id,
        amount=payment.amount,
        allocations=_allocations(owed_again),
        reason=payment.reversal_reason,
        reversed_at=stamp(at),
        currency_code=account.currency_code,
        minor_digits=account.minor_digits,
        taken_from_credit=taken,
        outstanding=account.posted,
    )
    return Outgoing("payment-reversed", account.merchant_id, account.customer_id, payload, at)


def credit_paid_out(account: Account, payout_id: str, amount: int, at: datetime) -> Outgoing:
    """Credit balance was returned; `account` is the one after it, the amount is minor units."""
    payload = credit_pb2.CreditPaidOut(
        merchant_id=account.merchant_id,
        customer_id=account.customer_id,
        payout_id=payout_id,
        amount=amount,
        currency_code=account.currency_code,
        minor_digits=account.minor_digits,
        credit_balance=account.credit_balance,
        paid_out_at=stamp(at),
    )
    return Outgoing("credit-paid-out", account.merchant_id, account.customer_id, payload, at)


def _allocations(parts: Sequence[tuple[str, int]]) -> list[credit_pb2.PaymentAllocation]:
    return [credit_pb2.PaymentAllocation(invoice_id=i, amount=a) for i, a in parts]


def payment_notice(notice: Notice, at: datetime, request_id: str = "") -> Outgoing:
    """What is owed was looked at on a local day: payment-overdue, or payment-due where nothing is overdue.

    `request_id`: who asked for it by hand; empty: the day's own.
    """
    account = notice.account
    payload: credit_pb2.PaymentDue | credit_pb2.PaymentOverdue
    if notice.kind is Kind.OVERDUE:
        type_ = "payment-overdue"
        payload = credit_pb2.PaymentOverdue(overdue=[_open(i) for i in notice.overdue])
    else:
        type_, payload = "payment-due", credit_pb2.PaymentDue()
    payload.merchant_id, payload.customer_id = account.key
    payload.local_date.CopyFrom(day(notice.local_date))
    payload.request_id = request_id
    payload.due.extend(_open(i) for i in notice.due)
    payload.currency_code, payload.minor_digits = account.currency_code, account.minor_digits
    return Outgoing(type_, account.merchant_id, account.customer_id, payload, at)


def _open(invoice: Invoice) -> credit_pb2.OpenInvoice:
    return credit_pb2.OpenInvoice(
        invoice_id=invoice.invoice_id, outstanding=invoice.outstanding, due_on=day(invoice.due_on)
    )
