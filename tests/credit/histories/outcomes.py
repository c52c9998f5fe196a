"""What answers can come to: which kinds of outcomes one holds, and all that there are to come up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The fields of answers and events that say what something came to.
_KINDS = ("refused", "state", "status", "reason", "exception", "kind", "effect", "cause", "event", "type")


def of(given: Any, within: str = "answer") -> Iterator[str]:
    """The kinds of outcomes in an answer."""
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, dict):
            yield from of(value, name)
        elif isinstance(value, list):
            yield from (found for each in value for found in of(each, name))
        elif isinstance(value, str) and name in _KINDS:
            yield f"{within}.{name} {value}"


def _all(of_field: str, words: str) -> set[str]:
    return {f"{of_field} {word}" for word in words.split()}


EXPECTED = (
    _all("hold.state", "PENDING DECLINED CAPTURED VOIDED EXPIRED")
    | _all("decline.reason", "CUSTOMER_ERASED NO_ACCOUNT ACCOUNT_SUSPENDED ACCOUNT_CLOSED OVERDUE OVER_LIMIT")
    | _all("invoices.state", "OPEN PARTIALLY_PAID PAID CANCELLED WRITTEN_OFF")
    | _all("exceptions.kind", "OVER_HOLD LATE VOIDED_THEN_SOLD UNAUTHORISED RETURN_EXCEEDS_INVOICE")
    | _all("payment.state", "PENDING RECEIVED REVERSED")
    | _all("account.status", "ACTIVE SUSPENDED CLOSED")
    | _all("changes.kind", "OPEN LIMIT TERMS OVERRIDE SUSPEND RESUME CLOSE SALE ERASED MERGED")
    | _all("entries.cause", "PURCHASE CAPTURE RETURN PAYMENT REVERSAL PAYOUT WRITE_OFF")
    | _all(
        "entries.effect",
        "CHARGED CREDIT_USED PAID RETURNED CREDIT_ADDED UNPAID CREDIT_UNUSED CREDIT_TAKEN PAID_OUT "
        "WRITTEN_OFF WRITE_OFF_UNDONE",
    )
    | _all(
        "fact.type",
        "invoice-issued invoice-paid invoice-written-off payment-received payment-reversed credit-paid-out "
        "payment-due payment-overdue",
    )
    | _all(
        "answer.refused",
        "IDEMPOTENCY_CONFLICT INVALID_MONEY HOLD_NOT_FOUND HOLD_NOT_PENDING ALREADY_CAPTURED ALREADY_VOIDED "
        "ALREADY_EXPIRED CAPTURE_EXCEEDS_HOLD ACCOUNT_NOT_FOUND ACCOUNT_EXISTS ACCOUNT_CLOSED "
        "ACCOUNT_NOT_SETTLED NEVER_OPENED OVERRIDE_PASSED CUSTOMER_ERASED OVERPAYMENT INVOICE_NOT_FOUND "
        "INVOICE_SETTLED NOTHING_OWED PAYMENT_NOT_FOUND ALREADY_RECEIVED ALREADY_REVERSED "
        "CREDIT_BALANCE_EXCEEDED EXCEPTION_NOT_FOUND EXCEPTION_RESOLVED",
    )
)
