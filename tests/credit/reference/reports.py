"""What can be asked of the books."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from tests.credit.reference.books import Answer, Books, Invoice

BANDS = ("CURRENT", "1_TO_30", "31_TO_60", "61_TO_90", "OVER_90")


def override(found: tuple[int, datetime] | None) -> Answer | None:
    """Another limit for a time."""
    return {"limit": found[0], "until": found[1]} if found else None


def account(books: Books, customer: str) -> Answer:
    """An account at this moment; of a customer who was merged it is the survivor's."""
    merged_into, customer = books.aliases.get(customer, ""), books.who(customer)
    found = books.opened(customer)
    return {
        "account": {
            "customer_id": customer, "status": found.status, "time_zone": found.zone, "limit": found.limit,
            "posted": books.owed(customer), "held": books.held(customer),
            "credit_balance": books.credit(customer), "available": books.available(customer),
            "overdue": sum(i.owed for i in books.overdue(customer)), "blocked": books.is_blocked(customer),
            "net_days": found.net_days, "due_day": found.due_day,
            "limit_override": override(books.override(customer)), "limit_wished": found.wished or None,
            "customer_erased": found.erased, "opened_at": found.opened_at, "revision": found.revision,
            "merged_into": merged_into,
        }
    }  # fmt: skip


def changes(books: Books, customer: str) -> Answer:
    """What changed an account, newest first."""
    newest = sorted(
        books.opened(books.who(customer)).changes,
        key=lambda c: (c["changed_at"], c["revision"]),
        reverse=True,
    )
    return {"changes": newest}


def invoice(books: Books, found: Invoice) -> Answer:
    """An invoice as it stands today."""
    late = (books.account(found.customer).day(books.now) - found.due_on).days
    return {
        "invoice_id": found.invoice_id, "customer_id": found.customer, "purchase_id": found.purchase_id,
        "tender_id": found.tender_id, "hold_id": found.hold_id, "amount": found.amount, "paid": found.paid,
        "returned": found.returned, "written_off": found.written_off, "outstanding": found.owed,
        "issued_on": found.issued_on, "due_on": found.due_on, "issued_at": found.issued_at,
        "settled_at": found.settled_at, "exception": found.mark or "UNSPECIFIED", "state": found.state,
        "days_overdue": max(0, late) if found.owed else 0,
    }  # fmt: skip


def invoices(books: Books, customer: str = "", *, min_days_overdue: int = 0) -> Answer:
    """A customer's invoices, or the shop's open ones, newest first."""
    customer = books.who(customer)
    found = [i for i in books.invoices.values() if i.customer == customer or (not customer and i.owed)]
    found.sort(key=lambda i: (i.issued_at, i.invoice_id), reverse=True)
    shown = [invoice(books, i) for i in found]
    return {"invoices": [i for i in shown if i["days_overdue"] >= min_days_overdue]}


def ageing(books: Books, customer: str = "") -> Answer:
    """What is owed by age, of one customer or of the shop."""
    customer = books.who(customer)
    if customer:
        books.opened(customer)
    owed = [i for i in invoices(books)["invoices"] if i["customer_id"] == customer or not customer]
    if not owed and not customer:
        return {"ageing": []}
    bands: list[Answer] = [{"band": band, "amount": 0, "invoices": 0} for band in BANDS]
    for each in owed:
        late = each["days_overdue"]
        band = bands[0 if late == 0 else min(4, 1 + (late - 1) // 30)]
        band["amount"] += each["outstanding"]
        band["invoices"] += 1
    return {"ageing": [{"bands": bands, "total": sum(b["amount"] for b in bands)}]}


def exceptions(books: Books, *, resolved: bool) -> Answer:
    """What staff must look at, newest first."""
    found = [e for e in books.exceptions.values() if resolved or e["resolved_at"] is None]
    return {"exceptions": _newest(found, "marked_at", "exception_id")}


def payments(shown: Iterable[Answer]) -> Answer:
    """Payments, newest first."""
    return {"payments": _newest(shown, "effective_at", "payment_id")}


def explain(books: Books, customer: str, balance: str) -> Answer:
    """All that makes a balance, newest first, and its sum."""
    customer = books.who(customer)
    books.opened(customer)
    if balance == "HELD":
        held = [
            {"hold_id": n, "amount": h.amount, "decided_at": h.decided_at, "expires_at": h.expires_at}
            for n, h in books.holds.items()
            if (h.customer, h.state) == (customer, "PENDING")
        ]
        total, entries, held = books.held(customer), [], _newest(held, "decided_at", "hold_id")
    else:
        column, held = {"POSTED": "posted", "CREDIT_BALANCE": "credit_balance"}[balance], []
        total = books.owed(customer) if balance == "POSTED" else books.credit(customer)
        entries = [e for e in reversed(_lines(books, customer)) if e[column]]
    return {"kept": total, "folded": total, "consistent": True, "entries": entries, "holds": held}


def statement(books: Books, customer: str, first: date, last: date) -> Answer:
    """A period of local dates, with the balances after each of its entries."""
    customer = books.who(customer)
    found = books.opened(customer)
    lines = sorted(_lines(books, customer), key=lambda line: line["effective_at"])
    posted = credit = 0
    opening, told = {"posted": 0, "credit_balance": 0}, []
    for line in lines:
        if found.day(line["effective_at"]) > last:
            break
        posted, credit = posted + line["posted"], credit + line["credit_balance"]
        after = {"posted": posted, "credit_balance": credit}
        if found.day(line["effective_at"]) < first:
            opening = after
        else:
            told.append(line | {"after": after})
    closing = {"posted": posted, "credit_balance": credit}
    return {"opening": opening, "closing": closing, "entries": told[::-1]}


def _lines(books: Books, customer: str) -> list[Answer]:
    return [
        {
            "cause": e.cause, "cause_id": e.cause_id, "effect": e.effect, "invoice_id": e.invoice_id,
            "posted": e.posted, "credit_balance": e.credit, "effective_at": e.at,
        }
        for e in books.entries
        if e.customer == customer
    ]  # fmt: skip


def _newest(shown: Iterable[Answer], *by: str) -> list[Answer]:
    return sorted(shown, key=lambda one: tuple(one[name] for name in by), reverse=True)
