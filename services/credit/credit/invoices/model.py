"""What a charge, a return and a payment do to an invoice, and how a sale's tender meets its hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from credit.accounts.model import Account, Cause, Effect, Entry, Key
from credit.holds.model import Hold, State
from kit.money import Currency


class Mark(StrEnum):
    """What is amiss with something that was posted all the same."""

    OVER_HOLD = "OVER_HOLD"
    LATE = "LATE"
    VOIDED_THEN_SOLD = "VOIDED_THEN_SOLD"
    UNAUTHORISED = "UNAUTHORISED"
    RETURN_EXCEEDS_INVOICE = "RETURN_EXCEEDS_INVOICE"
    OVER_ALLOWANCE = "OVER_ALLOWANCE"


class Standing(StrEnum):
    """Where an invoice stands; overdue is no state, it depends on the day."""

    OPEN = "OPEN"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    CANCELLED = "CANCELLED"
    WRITTEN_OFF = "WRITTEN_OFF"


# What is owed by age: current, and from so many days past the due date on.
AGE_BANDS = (1, 31, 61, 91)


class InvoiceKey(NamedTuple):
    """What names an invoice."""

    merchant_id: str
    invoice_id: str


class TenderKey(NamedTuple):
    """What names the tender that an invoice came from."""

    merchant_id: str
    purchase_id: str
    tender_id: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """What one charge made the customer owe, minor units; store_id empty: it came from no store."""

    merchant_id: str
    invoice_id: str
    customer_id: str
    purchase_id: str | None
    tender_id: str
    hold_id: str | None
    amount: int
    issued_on: date
    due_on: date
    issued_at: datetime
    paid: int = 0
    returned: int = 0
    settled_at: datetime | None = None
    mark: Mark | None = None
    written_off: int = 0
    store_id: str = ""

    @property
    def key(self) -> InvoiceKey:
        """What names it."""
        return InvoiceKey(self.merchant_id, self.invoice_id)

    @property
    def account_key(self) -> Key:
        """Whose account it is on."""
        return Key(self.merchant_id, self.customer_id)

    @property
    def outstanding(self) -> int:
        """What is still owed."""
        return self.amount - self.paid - self.returned - self.written_off

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        if self.outstanding:
            return Standing.PARTIALLY_PAID if self.paid else Standing.OPEN
        if self.written_off:
            return Standing.WRITTEN_OFF
        return Standing.CANCELLED if self.returned == self.amount else Standing.PAID

    def days_overdue(self, today: date) -> int:
        """How many local days it is past its due date; 0: it is not, or nothing is owed."""
        return max(0, (today - self.due_on).days) if self.outstanding else 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a tender meets its hold: what becomes of the hold, and what is amiss by how much."""

    captures: bool = False
    links: bool = False
    mark: Mark | None = None
    excess: int = 0


def judge(hold: Hold | None, customer_id: str, amount: int, captured_alone: bool) -> Verdict:
    """Apply the table "A finished sale is never refused" to one tender of `amount`.

    `captured_alone`: the hold was captured by RPC and no sale is linked to its invoice.
    """
    if hold is None or hold.customer_id != customer_id:
        return Verdict(mark=Mark.UNAUTHORISED, excess=amount)
    match hold.state:
        case State.PENDING:
            if amount <= hold.held:
                return Verdict(captures=True)
            return Verdict(captures=True, mark=Mark.OVER_HOLD, excess=amount - hold.held)
        case State.EXPIRED:
            return Verdict(mark=Mark.LATE, excess=amount)
        case State.VOIDED:
            return Verdict(mark=Mark.VOIDED_THEN_SOLD, excess=amount)
        case State.CAPTURED if captured_alone:
            if amount <= hold.captured:
                return Verdict(links=True)
            return Verdict(links=True, mark=Mark.OVER_HOLD, excess=amount - hold.captured)
        case _:
            return Verdict(mark=Mark.UNAUTHORISED, excess=amount)


@dataclass(frozen=True, slots=True)
class Charge:
    """Something to be owed, minor units: a sale's tender, a captured hold, what a reversal finds nowhere."""

    key: Key
    invoice_id: str
    cause: Cause
    cause_id: str
    amount: int
    at: datetime
    purchase_id: str | None = None
    tender_id: str = ""
    hold_id: str | None = None
    mark: Mark | None = None
    due_at_once: bool = False
    store_id: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """An invoice after something happened to it, and the entries that say so."""

    invoice: Invoice
    entries: tuple[Entry, ...]


def issue(account: Account, charge: Charge) -> Moved:
    """Charge an account; what the shop owes the customer is used at once."""
    used = min(account.credit_balance, charge.amount)
    invoice = Invoice(
        merchant_id=charge.key.merchant_id,
        invoice_id=charge.invoice_id,
        customer_id=charge.key.customer_id,
        purchase_id=charge.purchase_id,
        tender_id=charge.tender_id,
        hold_id=charge.hold_id,
        amount=charge.amount,
        issued_on=account.local_date(charge.at),
        due_on=account.local_date(charge.at) if charge.due_at_once else account.due_on(charge.at),
        issued_at=charge.at,
        paid=used,
        settled_at=charge.at if used == charge.amount else None,
        mark=charge.mark,
        store_id=charge.store_id,
    )
    entries = [_entry(charge, Effect.CHARGED, charge.amount, 0)]
    if used:
        entries.append(_entry(charge, Effect.CREDIT_USED, -used, -used))
    return Moved(invoice, tuple(entries))


def _entry(charge: Charge, effect: Effect, posted: int, credit: int) -> Entry:
    return Entry(
        key=charge.key,
        cause=charge.cause,
        cause_id=charge.cause_id,
        line=charge.tender_id,
        effect=effect,
        invoice_id=charge.invoice_id,
        posted=posted,
        credit=credit,
        effective_at=charge.at,
    )


@dataclass(frozen=True, slots=True)
class Refund:
    """What a return gives back through one on-account tender, minor units."""

    tender: TenderKey
    key: Key
    return_id: str
    amount: int
    at: datetime


def take_back(invoice: Invoice, refund: Refund) -> tuple[Moved, int]:
    """Take a refund off an invoice: what is owed, what was given up, then what was paid: that is credit.

    Returns the surplus too: what was refunded beyond all that was ever posted on it.
    """
    off = min(refund.amount, invoice.outstanding)
    given_up = min(refund.amount - off, invoice.written_off)
    credit = min(refund.amount - off - given_up, invoice.paid)
    after = replace(
        invoice,
        returned=invoice.returned + off + given_up + credit,
        written_off=invoice.written_off - given_up,
        paid=invoice.paid - credit,
    )
    after = _settled(after, refund.at)
    entries = [
        Entry(
            key=invoice.account_key,
            cause=Cause.RETURN,
            cause_id=refund.return_id,
            line=refund.tender.tender_id,
            effect=effect,
            invoice_id=invoice.invoice_id,
            posted=posted,
            credit=added,
            effective_at=refund.at,
        )
        for effect, posted, added in (
            (Effect.WRITE_OFF_UNDONE, given_up, 0),
            (Effect.RETURNED, -off - given_up, 0),
            (Effect.CREDIT_ADDED, 0, credit),
        )
        if posted or added
    ]
    return Moved(after, tuple(entries)), refund.amount - off - given_up - credit


def pay(invoice: Invoice, payment_id: str, amount: int, at: datetime) -> Moved:
    """Put a part of a payment to an invoice; `amount` is at most what it owes."""
    assert 0 < amount <= invoice.outstanding, "a payment never pays more than an invoice owes"
    after = _settled(replace(invoice, paid=invoice.paid + amount), at)
    entry = Entry(
        key=invoice.account_key,
        cause=Cause.PAYMENT,
        cause_id=payment_id,
        line=invoice.invoice_id,
        effect=Effect.PAID,
        invoice_id=invoice.invoice_id,
        posted=-amount,
        credit=0,
        effective_at=at,
    )
    return Moved(after, (entry,))


def unpay(invoice: Invoice, payment_id: str, effect: Effect, amount: int, at: datetime) -> Moved:
    """Make an invoice owed again that a payment now reversed had paid, itself or through credit balance.

    `effect`: UNPAID, or CREDIT_UNUSED, which gives the credit back that was used.
    """
    assert 0 < amount <= invoice.paid, "no more is undone than was paid"
    entry = Entry(
        key=invoice.account_key,
        cause=Cause.REVERSAL,
        cause_id=payment_id,
        line=invoice.invoice_id,
        effect=effect,
        invoice_id=invoice.invoice_id,
        posted=amount,
        credit=amount if effect is Effect.CREDIT_UNUSED else 0,
        effective_at=at,
    )
    return Moved(replace(invoice, paid=invoice.paid - amount, settled_at=None), (entry,))


def write_off(invoice: Invoice, request_id: str, at: datetime) -> Moved:
    """Give up what is still owed on an invoice."""
    assert invoice.outstanding > 0, "only what is owed is given up"
    owed = invoice.outstanding
    entry = Entry(
        key=invoice.account_key,
        cause=Cause.WRITE_OFF,
        cause_id=request_id,
        line=invoice.invoice_id,
        effect=Effect.WRITTEN_OFF,
        invoice_id=invoice.invoice_id,
        posted=-owed,
        credit=0,
        effective_at=at,
    )
    return Moved(_settled(replace(invoice, written_off=invoice.written_off + owed), at), (entry,))


def _settled(invoice: Invoice, at: datetime) -> Invoice:
    if invoice.outstanding == 0 and invoice.settled_at is None:
        return replace(invoice, settled_at=at)
    return invoice


@dataclass(frozen=True, slots=True)
class Marked:
    """Something that staff must look at; `amount` in minor units.

    customer_id is empty for a tender of a sale that names nobody: `invoice` was never made then, and
    `currency` is the sale's; else None, and the account's.
    """

    exception_id: str
    invoice: InvoiceKey
    customer_id: str
    purchase_id: str | None
    cause_id: str
    mark: Mark
    amount: int
    at: datetime
    currency: Currency | None = None
    resolved_at: datetime | None = None
    note: str = ""
    staff_ref: str = ""
