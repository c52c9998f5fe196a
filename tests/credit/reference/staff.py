"""What staff change: accounts, debts that are given up, reminders, and exceptions that are dealt with."""

from __future__ import annotations

from datetime import datetime

from tests.credit.reference import reports
from tests.credit.reference.books import Answer, Books, Invoice, Refused


def note(
    books: Books,
    customer: str,
    kind: str,
    request_id: str,
    at: datetime,
    reason: str = "",
    absorbed: str = "",
) -> None:
    """Keep what holds after a change of an account."""
    account = books.account(customer)
    account.revision += 1
    account.changes.append(
        {
            "kind": kind, "request_id": request_id, "changed_at": at, "revision": account.revision,
            "reason": "" if account.erased else reason, "limit": account.limit, "net_days": account.net_days,
            "status": account.status if account.is_open else "UNSPECIFIED", "due_day": account.due_day,
            "limit_override": reports.override(account.override), "merged_customer_id": absorbed,
            "absorbed_from": "",
        }
    )  # fmt: skip


def open_account(
    books: Books, customer: str, request_id: str, limit: int, net_days: int, due_day: int, zone: str
) -> Answer:
    """Open an account, new, a sale's or closed; correct the zone of one on which nothing is booked yet."""
    asked, named = (customer, limit, net_days, due_day, zone), customer
    customer = books.who(customer)
    if not books.repeats("OPEN", request_id, *asked):
        account = books.account(customer)
        if account.erased:
            raise Refused("CUSTOMER_ERASED")
        corrects = account.status == "ACTIVE" and account.zone != zone and not books.held(customer)
        if corrects and any(e.customer == customer for e in books.entries):
            corrects = False
        by_staff = any(c["kind"] == "OPEN" for c in account.changes)
        if (account.status == "ACTIVE" and not corrects) or (account.status == "SUSPENDED" and by_staff):
            raise Refused("ACCOUNT_EXISTS")
        if limit < 0:
            raise Refused("INVALID_MONEY")
        if corrects or not account.is_open:
            account.zone = zone
        account.status, account.limit, account.override = "ACTIVE", limit, None
        account.net_days, account.due_day = net_days, due_day
        account.opened_at = account.opened_at or books.now
        books.requests["OPEN", request_id] = asked
        note(books, customer, "OPEN", request_id, books.now)
    return reports.account(books, named)


def change(
    books: Books, customer: str, kind: str, request_id: str, reason: str, *,
    limit: int | None = None, net_days: int = 0, due_day: int = 0, until: datetime | None = None,
) -> Answer:  # fmt: skip
    """LIMIT, TERMS, OVERRIDE, SUSPEND, RESUME or CLOSE an account."""
    asked, named = (customer, limit, net_days, due_day, until, reason), customer
    customer = books.who(customer)
    if not books.repeats(kind, request_id, *asked):
        account = books.opened(customer)
        left = {
            "posted": books.owed(customer),
            "held": books.held(customer),
            "credit_balance": books.credit(customer),
        }
        if kind == "CLOSE" and any(left.values()):
            raise Refused("ACCOUNT_NOT_SETTLED", **left)
        if kind != "CLOSE" and account.status == "CLOSED":
            raise Refused("ACCOUNT_CLOSED")
        if kind == "CLOSE" and any(
            (p.customer, p.state) == (customer, "PENDING") for p in books.payments.values()
        ):
            raise Refused("PAYMENT_PENDING")
        if limit is not None and limit < 0:
            raise Refused("INVALID_MONEY")
        if kind == "OVERRIDE" and until is not None and until <= books.now:
            raise Refused("OVERRIDE_PASSED")
        if kind == "RESUME" and not any(c["kind"] == "OPEN" for c in account.changes):
            raise Refused("NEVER_OPENED")
        match kind:
            case "LIMIT":
                assert limit is not None, "a limit is named"
                account.limit = limit
            case "TERMS":
                account.net_days, account.due_day = net_days, due_day
            case "OVERRIDE":
                account.override = (limit, until) if limit is not None and until is not None else None
            case _:
                account.status = {"SUSPEND": "SUSPENDED", "RESUME": "ACTIVE", "CLOSE": "CLOSED"}[kind]
        books.requests[kind, request_id] = asked
        note(books, customer, kind, request_id, books.now, reason)
    return reports.account(books, named)


def write_off(books: Books, customer: str, request_id: str, invoice_id: str, reason: str) -> Answer:
    """Give up what is still owed on an invoice."""
    asked, customer = (customer, invoice_id, reason), books.who(customer)
    again = books.repeats("write-off", request_id, *asked)
    invoice = books.invoices.get(invoice_id)
    if invoice is None or invoice.customer != customer:
        raise Refused("INVOICE_NOT_FOUND")
    if not again:
        owed = invoice.owed
        if not owed:
            raise Refused("INVOICE_SETTLED")
        invoice.written_off += owed
        invoice.settled_at = books.now
        books.enter(customer, "WRITE_OFF", request_id, "WRITTEN_OFF", invoice_id, -owed, 0, books.now)
        books.say(
            "invoice-written-off", customer, invoice_id=invoice_id, purchase_id=invoice.purchase_id,
            amount=owed, cause_id=request_id, written_off_at=books.now,
        )  # fmt: skip
        books.requests["write-off", request_id] = asked
    return {"invoice": reports.invoice(books, invoice)}


def remind(books: Books, customer: str, request_id: str) -> Answer:
    """Say all that is owed, whatever was said today."""
    asked, customer = (customer,), books.who(customer)
    again = books.repeats("reminder", request_id, *asked)
    account = books.opened(customer)
    if not again:
        owed = books.invoices_of(customer, open_only=True)
        if not owed:
            raise Refused("NOTHING_OWED")
        late = books.overdue(customer)
        told = {"due": _listed([i for i in owed if i not in late]), "request_id": request_id}
        if late:
            told["overdue"] = _listed(late)
        today = account.day(books.now)
        event = "payment-overdue" if late else "payment-due"
        books.say(event, customer, local_date=today, **told)
        books.answers[request_id] = {
            "customer_id": customer, "event": event, "local_date": today, "said_at": books.now
        }  # fmt: skip
        books.requests["reminder", request_id] = asked
    told = books.answers[request_id]
    return {"event": told["event"], "local_date": told["local_date"], "said_at": told["said_at"]}


def _listed(invoices: list[Invoice]) -> list[Answer]:
    longest_due_first = sorted(invoices, key=lambda i: (i.due_on, i.invoice_id))
    return [
        {"invoice_id": i.invoice_id, "outstanding": i.owed, "due_on": i.due_on} for i in longest_due_first
    ]


def resolve(books: Books, customer: str, request_id: str, exception_id: str, text: str) -> Answer:
    """Note that an exception was dealt with."""
    asked, customer = (customer, exception_id, text), books.who(customer)
    again = books.repeats("resolution", request_id, *asked)
    exception = books.exceptions.get(exception_id)
    if exception is None or exception["customer_id"] != customer:
        raise Refused("EXCEPTION_NOT_FOUND")
    if not again:
        if exception["resolved_at"]:
            raise Refused("EXCEPTION_RESOLVED")
        erased = bool(customer) and books.account(customer).erased
        exception.update(resolved_at=books.now, note="" if erased else text)
        books.requests["resolution", request_id] = asked
    return {"exception": dict(exception)}
