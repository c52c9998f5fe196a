"""What the credit service refuses; reasons are documented in the proto beside each method."""

from __future__ import annotations

from kit.errors import AlreadyExists, DomainError, FailedPrecondition, InvalidArgument, NotFound


class CreditError(DomainError):
    """Root of the service's own errors."""


class AccountNotFound(CreditError, NotFound):
    """The customer has no credit account."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"customer {customer_id} has no credit account; open one with OpenAccount")


class AccountExists(CreditError, AlreadyExists):
    """The customer's account was opened by another request."""

    reason = "ACCOUNT_EXISTS"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"customer {customer_id} has a credit account; use SetLimit, SetTerms and ResumeAccount"
        )


class AccountClosed(CreditError, FailedPrecondition):
    """A closed account is only opened again."""

    reason = "ACCOUNT_CLOSED"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"the account of customer {customer_id} is closed; open it again with OpenAccount")


class AccountNotSettled(CreditError, FailedPrecondition):
    """An account is closed at zero alone."""

    reason = "ACCOUNT_NOT_SETTLED"

    def __init__(self, posted: int, held: int, credit_balance: int) -> None:
        super().__init__(
            f"owed {posted}, held {held}, credit balance {credit_balance} (minor units): close it when "
            "all are zero; take payments, void holds, pay credit out",
            posted=str(posted),
            held=str(held),
            credit_balance=str(credit_balance),
        )


class PaymentPending(CreditError, FailedPrecondition):
    """A giro that clears later would be booked on a closed account."""

    reason = "PAYMENT_PENDING"

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"giro {payment_id} has not cleared yet; confirm or reverse it, then close the account",
            payment_id=payment_id,
        )


class NeverOpened(CreditError, FailedPrecondition):
    """A sale opened the account; nobody has named its limit and terms."""

    reason = "NEVER_OPENED"

    def __init__(self, customer_id: str) -> None:
        super().__init__(
            f"a sale opened the account of customer {customer_id}; name its limit and terms with OpenAccount"
        )


class OverridePassed(CreditError, InvalidArgument):
    """A limit for a time ends in the future."""

    reason = "OVERRIDE_PASSED"

    def __init__(self) -> None:
        super().__init__("until is not in the future; name a later instant", field="until")


class TooManyStoreLimits(CreditError, FailedPrecondition):
    """More stores with a limit of their own than an account may have."""

    reason = "TOO_MANY_STORE_LIMITS"

    def __init__(self, most: int) -> None:
        super().__init__(f"an account has limits for {most} stores at most; take another store's away first")


class CustomerErased(CreditError, FailedPrecondition):
    """No account is opened for an erased customer."""

    reason = "CUSTOMER_ERASED"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"customer {customer_id} is erased; no credit account can be opened")


class CurrencyMismatch(CreditError, FailedPrecondition):
    """An account keeps the currency and digits that it was opened with."""

    reason = "CURRENCY_MISMATCH"

    def __init__(self, code: str, digits: int) -> None:
        super().__init__(f"the account was opened in {code} with {digits} minor digits; repeat with these")


class InvalidTimeZone(CreditError, InvalidArgument):
    """Not an IANA zone."""

    reason = "INVALID_TIME_ZONE"

    def __init__(self, zone: str) -> None:
        super().__init__(f"{zone!r} is no IANA time zone; for example Asia/Jakarta")


class HoldNotFound(CreditError, NotFound):
    """This customer has no such hold."""

    reason = "HOLD_NOT_FOUND"

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"no hold {hold_id} of this customer; check both ids")


class HoldNotPending(CreditError, FailedPrecondition):
    """The hold is no longer, or never was, pending; the reason names the state that was found."""

    reason = "HOLD_NOT_PENDING"

    def __init__(self, hold_id: str, state: str) -> None:
        advice = "undo a sale with RecordReturn" if state == "CAPTURED" else "authorise again under a new id"
        already = state in ("CAPTURED", "VOIDED", "EXPIRED")
        super().__init__(
            f"hold {hold_id} is {state}; {advice}",
            reason=f"ALREADY_{state}" if already else None,
            state=state,
        )


class CaptureExceedsHold(CreditError, FailedPrecondition):
    """More than was kept aside."""

    reason = "CAPTURE_EXCEEDS_HOLD"

    def __init__(self, held: int) -> None:
        super().__init__("the amount is more than the hold; capture at most the hold", held=str(held))


class AllowanceNotFound(CreditError, NotFound):
    """The merchant has no such allowance."""

    reason = "ALLOWANCE_NOT_FOUND"

    def __init__(self, allowance_id: str) -> None:
        super().__init__(f"no allowance {allowance_id}; see ListAllowances")


class AllowanceEnded(CreditError, FailedPrecondition):
    """There is nothing left to end."""

    reason = "ALLOWANCE_ENDED"

    def __init__(self, allowance_id: str) -> None:
        super().__init__(f"allowance {allowance_id} has ended already; grant another if one is needed")


class ExceptionNotFound(CreditError, NotFound):
    """This customer has no such exception."""

    reason = "EXCEPTION_NOT_FOUND"

    def __init__(self, exception_id: str) -> None:
        super().__init__(f"no exception {exception_id} of this customer; see ListExceptions")


class ExceptionResolved(CreditError, FailedPrecondition):
    """Somebody else was first."""

    reason = "EXCEPTION_RESOLVED"

    def __init__(self, exception_id: str) -> None:
        super().__init__(f"exception {exception_id} is resolved already; nothing is left to do")


class InvoiceNotFound(CreditError, NotFound):
    """This customer has no such invoice."""

    reason = "INVOICE_NOT_FOUND"

    def __init__(self, invoice_id: str) -> None:
        super().__init__(f"no invoice {invoice_id} of this customer; see ListInvoices")


class InvoiceSettled(CreditError, FailedPrecondition):
    """Nothing is owed on the invoice any more."""

    reason = "INVOICE_SETTLED"

    def __init__(self, invoice_id: str) -> None:
        super().__init__(f"nothing is owed on invoice {invoice_id}; there is nothing to write off")


class NothingOwed(CreditError, FailedPrecondition):
    """There is nothing to remind of."""

    reason = "NOTHING_OWED"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"customer {customer_id} owes nothing on invoices; there is nothing to remind of")


class InvalidDate(CreditError, InvalidArgument):
    """Not a day of the calendar."""

    reason = "INVALID_DATE"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is no day of the calendar", field=field)


class InvalidPeriod(CreditError, InvalidArgument):
    """It ends before it begins."""

    reason = "INVALID_PERIOD"

    def __init__(self) -> None:
        super().__init__("last_day lies before first_day; exchange them")


class LimitsNotSet(CreditError, FailedPrecondition):
    """No limit is decided by a policy that has no plugin for it."""

    reason = "LIMITS_NOT_SET"

    def __init__(self) -> None:
        super().__init__("the policy in force has no limits plugin; choose one with SetPolicy, or name it")


class PaymentNotFound(CreditError, NotFound):
    """This customer has no such payment."""

    reason = "PAYMENT_NOT_FOUND"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"no payment {payment_id} of this customer; see ListPayments")


class PaymentReceivedAlready(CreditError, FailedPrecondition):
    """The payment is booked; only a pending one is confirmed."""

    reason = "ALREADY_RECEIVED"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"payment {payment_id} is booked already; nothing is left to confirm")


class PaymentReversedAlready(CreditError, FailedPrecondition):
    """Another request reversed the payment."""

    reason = "ALREADY_REVERSED"

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"payment {payment_id} is reversed; record what was paid since as a new payment")


class CreditBalanceExceeded(CreditError, FailedPrecondition):
    """The shop owes the customer less than is to be paid out, or pending holds rest on a part of it."""

    reason = "CREDIT_BALANCE_EXCEEDED"

    def __init__(self, credit_balance: int, payable: int) -> None:
        super().__init__(
            f"the credit balance is {credit_balance}, of which {credit_balance - payable} is kept for holds "
            f"(minor units); pay out at most {payable}, or void the holds first",
            credit_balance=str(credit_balance),
            payable=str(payable),
        )


class PolicyNotFound(CreditError, NotFound):
    """The merchant has no such version."""

    reason = "POLICY_NOT_FOUND"

    def __init__(self, version: int) -> None:
        super().__init__(f"there is no version {version} of the policy; ask for the newest")


class Overpayment(CreditError, FailedPrecondition):
    """More than is owed."""

    reason = "OVERPAYMENT"

    def __init__(self, owed: int, excess: int) -> None:
        super().__init__(
            f"the payment is {excess} more than the {owed} owed (minor units); take no more than is owed, "
            "or set allow_credit_balance",
            owed=str(owed),
            excess=str(excess),
        )
