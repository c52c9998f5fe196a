"""The only code that reads and writes invoices and their exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from credit.accounts.model import Key
from credit.invoices.marks import Authorised, exception_id
from credit.invoices.model import AGE_BANDS, Invoice, InvoiceKey, Mark, Marked, TenderKey
from credit.pages import Before
from kit import db
from kit.money import Currency

queries = db.load(__file__)


class Due(NamedTuple):
    """Between which local dates, both included, an invoice is due."""

    first: date = date.min
    last: date = date.max


class Age(NamedTuple):
    """What is owed of one age: minor units, on so many invoices."""

    amount: int
    invoices: int


async def find(conn: db.Conn, keys: Iterable[InvoiceKey]) -> dict[InvoiceKey, Invoice]:
    """Return the invoices that exist."""
    wanted = list(keys)
    rows = queries.find(
        conn, merchants=[k.merchant_id for k in wanted], invoice_ids=[k.invoice_id for k in wanted]
    )
    found = [decode(row) async for row in rows]
    return {invoice.key: invoice for invoice in found}


async def find_by_tender(conn: db.Conn, keys: Iterable[TenderKey]) -> dict[TenderKey, Invoice]:
    """Return the invoices that tenders led to."""
    wanted = list(keys)
    rows = queries.find_by_tender(
        conn,
        merchants=[k.merchant_id for k in wanted],
        purchase_ids=[k.purchase_id for k in wanted],
        tender_ids=[k.tender_id for k in wanted],
    )
    found = [decode(row) async for row in rows]
    return {TenderKey(i.merchant_id, i.purchase_id or "", i.tender_id): i for i in found}


async def oldest_open(conn: db.Conn, key: Key, amount: int) -> list[Invoice]:
    """Return the oldest open invoices of an account that a payment of `amount` reaches."""
    rows = queries.oldest_open(conn, merchant_id=key.merchant_id, customer_id=key.customer_id, amount=amount)
    return [decode(row) async for row in rows]


async def due_until(conn: db.Conn, until: Mapping[Key, date]) -> dict[Key, list[Invoice]]:
    """Return what is open of each account and due by its day."""
    rows = queries.due_until(
        conn,
        merchants=[key.merchant_id for key in until],
        customers=[key.customer_id for key in until],
        until=list(until.values()),
    )
    found: dict[Key, list[Invoice]] = {}
    async for row in rows:
        invoice = decode(row)
        found.setdefault(invoice.account_key, []).append(invoice)
    return found


async def page(
    conn: db.Conn, key: Key, due: Due, *, open_only: bool, purchase_id: str, before: Before, size: int
) -> list[Invoice]:
    """Return a page of a customer's invoices, newest first."""
    rows = queries.page(
        conn,
        merchant_id=key.merchant_id,
        customer_id=key.customer_id,
        open_only=open_only,
        purchase_id=purchase_id or None,
        due_from=due.first,
        due_until=due.last,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return [decode(row) async for row in rows]


async def page_of_shop(
    conn: db.Conn, merchant_id: str, due: Mapping[str, Due], *, purchase_id: str, before: Before, size: int
) -> list[Invoice]:
    """Return a page of a shop's open invoices, newest first; `due` by zone, of all zones."""
    rows = queries.page_of_shop(
        conn,
        merchant_id=merchant_id,
        zones=list(due),
        due_from=[each.first for each in due.values()],
        due_until=[each.last for each in due.values()],
        purchase_id=purchase_id or None,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return [decode(row) async for row in rows]


async def ageing(conn: db.Conn, key: Key, today: date) -> dict[int, Age]:
    """Return what a customer owes by age: the band's place among AGE_BANDS, 0: current."""
    rows = queries.ageing(
        conn,
        merchant_id=key.merchant_id,
        customer_id=key.customer_id,
        today=today,
        bands=AGE_BANDS,
    )
    return {row["band"]: Age(row["amount"], row["invoices"]) async for row in rows}


async def ageing_of_shop(
    conn: db.Conn, merchant_id: str, todays: Mapping[str, date]
) -> dict[Currency, dict[int, Age]]:
    """Return what all customers owe by currency and age; `todays`: the local date of each zone."""
    rows = queries.ageing_of_shop(
        conn,
        merchant_id=merchant_id,
        zones=list(todays),
        todays=list(todays.values()),
        bands=AGE_BANDS,
    )
    found: dict[Currency, dict[int, Age]] = {}
    async for row in rows:
        currency = Currency(row["currency_code"], row["minor_digits"])
        found.setdefault(currency, {})[row["band"]] = Age(row["amount"], row["invoices"])
    return found


async def save(conn: db.Conn, invoices: Sequence[Invoice]) -> None:
    """Write invoices of locked accounts, new or moved."""
    if not invoices:
        return
    await queries.save(
        conn,
        merchants=[i.merchant_id for i in invoices],
        invoice_ids=[i.invoice_id for i in invoices],
        customers=[i.customer_id for i in invoices],
        purchases=[i.purchase_id for i in invoices],
        tenders=[i.tender_id for i in invoices],
        holds=[i.hold_id for i in invoices],
        amounts=[i.amount for i in invoices],
        paid=[i.paid for i in invoices],
        returned=[i.returned for i in invoices],
        issued_on=[i.issued_on for i in invoices],
        due_on=[i.due_on for i in invoices],
        issued_at=[i.issued_at for i in invoices],
        settled_at=[i.settled_at for i in invoices],
        exceptions=[i.mark or "" for i in invoices],
        written_off=[i.written_off for i in invoices],
        stores=[i.store_id for i in invoices],
    )


def decode(row: Any) -> Invoice:
    """Return the invoice in a row."""
    return Invoice(
        merchant_id=row["merchant_id"],
        invoice_id=str(row["invoice_id"]),
        customer_id=row["customer_id"],
        purchase_id=_text(row["purchase_id"]),
        tender_id=row["tender_id"],
        hold_id=_text(row["hold_id"]),
        amount=row["amount"],
        issued_on=row["issued_on"],
        due_on=row["due_on"],
        issued_at=row["issued_at"],
        paid=row["paid"],
        returned=row["returned"],
        settled_at=row["settled_at"],
        mark=Mark(row["exception"]) if row["exception"] else None,
        written_off=row["written_off"],
        store_id=row["store_id"],
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


async def mark(conn: db.Conn, marks: Sequence[Marked]) -> list[tuple[str, Mark]]:
    """List what staff must look at; return (customer, mark) of what is new."""
    if not marks:
        return []
    rows = queries.mark(
        conn,
        merchants=[m.invoice.merchant_id for m in marks],
        exception_ids=[m.exception_id for m in marks],
        customers=[m.customer_id for m in marks],
        invoice_ids=[m.invoice.invoice_id for m in marks],
        purchases=[m.purchase_id for m in marks],
        causes=[m.cause_id for m in marks],
        kinds=[m.mark for m in marks],
        amounts=[m.amount for m in marks],
        marked_at=[m.at for m in marks],
        currencies=[m.currency.code if m.currency else "" for m in marks],
        digits=[m.currency.digits if m.currency else 0 for m in marks],
    )
    return [(row["customer_id"], Mark(row["kind"])) async for row in rows]


async def resolve_authorised(conn: db.Conn, found: Sequence[Authorised]) -> None:
    """Resolve what sales were marked with while their holds were not known, unless staff did before."""
    if not found:
        return
    await queries.resolve_authorised(
        conn,
        merchants=[a.invoice.merchant_id for a in found],
        exception_ids=[exception_id(a.invoice, a.cause_id, Mark.UNAUTHORISED) for a in found],
        notes=[a.note for a in found],
        at=[a.at for a in found],
    )


async def open_exceptions(conn: db.Conn) -> dict[str, int]:
    """Return how many exceptions are open, by what is amiss."""
    return {row["kind"]: row["many"] async for row in queries.open_exceptions(conn)}


async def exceptions_page(
    conn: db.Conn, merchant_id: str, *, customer_id: str, include_resolved: bool, before: Before, size: int
) -> list[Marked]:
    """Return a page of exceptions, newest first; customer_id may be empty."""
    rows = queries.exceptions_page(
        conn,
        merchant_id=merchant_id,
        customer_id=customer_id,
        include_resolved=include_resolved,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return [decode_marked(row) async for row in rows]


def decode_marked(row: Any) -> Marked:
    """Return the exception in a row."""
    return Marked(
        exception_id=str(row["exception_id"]),
        invoice=InvoiceKey(row["merchant_id"], str(row["invoice_id"])),
        customer_id=row["customer_id"],
        purchase_id=_text(row["purchase_id"]),
        cause_id=str(row["cause_id"]),
        mark=Mark(row["kind"]),
        amount=row["amount"],
        at=row["marked_at"],
        currency=Currency(row["currency_code"], row["minor_digits"]) if row["currency_code"] else None,
        resolved_at=row["resolved_at"],
        note=row["note"],
        staff_ref=row["staff_ref"],
    )
