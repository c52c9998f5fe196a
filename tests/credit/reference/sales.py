"""What the shop tells of customers, sales and returns: a finished sale is never refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tests.credit.reference.books import Books, Hold
from tests.credit.reference.merges import forget, merge
from tests.credit.reference.staff import note


class NotYetKnown(Exception):
    """It speaks of a sale that was not heard of; it waits, and all of its customer behind it."""


@dataclass(frozen=True)
class Sale:
    """A sale with tenders (id, amount, hold or none) on the account of `payer`; empty: nobody's."""

    key: str
    purchase_id: str
    payer: str
    zone: str
    at: datetime
    tenders: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Return:
    """What a return gives back through one tender."""

    key: str
    return_id: str
    purchase_id: str
    tender_id: str
    amount: int
    at: datetime


@dataclass(frozen=True)
class Registered:
    """A customer registered, and wished a limit."""

    key: str
    wished: int


@dataclass(frozen=True)
class Erased:
    """A customer is erased."""

    key: str
    at: datetime


@dataclass(frozen=True)
class Merged:
    """A customer turned out to be another."""

    key: str
    survivor: str
    at: datetime


Event = Sale | Return | Registered | Erased | Merged


def hear(books: Books, event: Event) -> None:
    """Take an event in; what comes behind one that waits, waits too."""
    waiting = books.parked.setdefault(event.key, [])
    waiting.append(event)
    if len(waiting) == 1:
        _catch_up(books, waiting)


def replay(books: Books) -> None:
    """Try again what waits, of each customer in order."""
    for waiting in books.parked.values():
        _catch_up(books, waiting)


def _catch_up(books: Books, waiting: list[Event]) -> None:
    while waiting:
        try:
            _apply(books, waiting[0])
        except NotYetKnown:
            return
        waiting.pop(0)


def _apply(books: Books, event: Event) -> None:
    match event:
        case Sale():
            for tender in event.tenders:
                _post(books, event, *tender)
        case Return():
            _take_back(books, event)
        case Registered() if event.key not in books.aliases:
            books.account(event.key).wished = event.wished
        case Merged():
            merge(books, event.key, event.survivor, event.at)
        case Erased():
            _erase(books, event)


def _post(books: Books, sale: Sale, tender_id: str, amount: int, hold_id: str) -> None:
    """Post one tender, once, and mark what business would have refused."""
    invoice_id = books.name(books.merchant, sale.purchase_id, tender_id)
    if not sale.payer:
        books.mark("", tender_id, sale.purchase_id, sale.purchase_id, "UNAUTHORISED", amount, sale.at)
        return
    if _invoice_of(books, sale.purchase_id, tender_id):
        return
    payer = books.who(sale.payer)
    account = books.account(payer)
    if not account.is_open:  # what was sold needs an account, and approves nothing more
        account.status, account.zone, account.opened_at = "SUSPENDED", sale.zone, sale.at
        note(books, payer, "SALE", books.name(books.merchant, payer, "SALE"), sale.at)
    hold = books.holds.get(hold_id)
    if hold is not None and hold.customer == payer and hold.invoice_id:
        charged = books.invoices[hold.invoice_id]
        if not charged.purchase_id:  # Capture has charged it: the sale is linked, and posts nothing
            assert hold.captured is not None, "what was captured says how much"
            charged.purchase_id, charged.tender_id = sale.purchase_id, tender_id
            if amount > hold.captured:
                charged.mark = "OVER_HOLD"
                books.mark(
                    payer, charged.invoice_id, sale.purchase_id, sale.purchase_id, "OVER_HOLD",
                    amount - hold.captured, sale.at,
                )  # fmt: skip
            return
    mark, excess = _judge(hold, payer, amount)
    books.charge(
        payer, "PURCHASE", sale.purchase_id, amount, sale.at, invoice_id=invoice_id,
        purchase_id=sale.purchase_id, tender_id=tender_id, hold_id=hold_id, mark=mark,
    )  # fmt: skip
    if hold is not None and hold.customer == payer and hold.state == "PENDING":
        assert hold.amount is not None, "what is pending has an amount"
        hold.state, hold.captured, hold.invoice_id = "CAPTURED", min(amount, hold.amount), invoice_id
    if mark:
        books.mark(payer, invoice_id, sale.purchase_id, sale.purchase_id, mark, excess, sale.at)


def _judge(hold: Hold | None, payer: str, amount: int) -> tuple[str, int]:
    """What is amiss with a tender, and by how much."""
    if hold is None or hold.customer != payer:
        return "UNAUTHORISED", amount
    if hold.state == "PENDING":
        assert hold.amount is not None, "what is pending has an amount"
        return ("OVER_HOLD", amount - hold.amount) if amount > hold.amount else ("", 0)
    return {"EXPIRED": "LATE", "VOIDED": "VOIDED_THEN_SOLD"}.get(hold.state, "UNAUTHORISED"), amount


def _invoice_of(books: Books, purchase_id: str, tender_id: str) -> str:
    named = (purchase_id, tender_id)
    return next((i.invoice_id for i in books.invoices.values() if (i.purchase_id, i.tender_id) == named), "")


def _take_back(books: Books, back: Return) -> None:
    """Take a refund off its invoice, once: of what is owed, then given up, then paid, which is credit."""
    invoice_id = _invoice_of(books, back.purchase_id, back.tender_id)
    if not invoice_id:
        raise NotYetKnown
    if ("return", back.return_id) in books.requests:
        return
    books.requests["return", back.return_id] = ()
    invoice = books.invoices[invoice_id]
    off = min(back.amount, invoice.owed)
    given_up = min(back.amount - off, invoice.written_off)
    credit = min(back.amount - off - given_up, invoice.paid)
    invoice.returned += off + given_up + credit
    invoice.written_off -= given_up
    invoice.paid -= credit
    for effect, posted, added in (
        ("WRITE_OFF_UNDONE", given_up, 0), ("RETURNED", -off - given_up, 0), ("CREDIT_ADDED", 0, credit)
    ):  # fmt: skip
        books.enter(invoice.customer, "RETURN", back.return_id, effect, invoice_id, posted, added, back.at)
    books.settle(invoice, back.return_id, back.at)
    surplus = back.amount - off - given_up - credit
    if surplus:
        books.mark(
            invoice.customer, invoice_id, invoice.purchase_id, back.return_id, "RETURN_EXCEEDS_INVOICE",
            surplus, back.at,
        )  # fmt: skip


def _erase(books: Books, event: Erased) -> None:
    """Approve nothing more, and forget what staff wrote; the books stay."""
    customer = books.who(event.key)
    account = books.account(customer)
    if not account.erased:
        account.erased = True
        note(books, customer, "ERASED", books.name(books.merchant, customer, "ERASED"), event.at)
    forget(books, customer)
