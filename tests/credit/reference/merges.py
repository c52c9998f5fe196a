"""Two customers who turn out to be one: what becomes of their accounts, and how the erased are forgotten."""

from __future__ import annotations

from datetime import datetime

from tests.credit.reference.books import Account, Books
from tests.credit.reference.staff import note


def merge(books: Books, absorbed: str, survivor: str, at: datetime) -> None:
    """Give all of one customer to the other, once; the id leads there from then on."""
    survivor = books.who(survivor)
    if books.who(absorbed) == survivor:
        return
    one, other = books.account(survivor), books.account(absorbed)
    _unite(one, other, at)
    for change in other.changes:
        change["revision"] += one.revision
        change["absorbed_from"] = change["absorbed_from"] or absorbed
    one.changes += other.changes
    one.revision += other.revision
    for record in (*books.holds.values(), *books.invoices.values(), *books.payments.values(), *books.entries):
        if record.customer == absorbed:
            record.customer = survivor
    for told in (*books.exceptions.values(), *books.answers.values()):
        if told["customer_id"] == absorbed:
            told["customer_id"] = survivor
    books.aliases = {a: survivor if to == absorbed else to for a, to in books.aliases.items()}
    books.aliases[absorbed] = survivor
    del books.accounts[absorbed]
    request_id = books.name(books.merchant, absorbed, "MERGED")
    note(books, survivor, "MERGED", request_id, at, absorbed=absorbed)
    if one.erased:
        forget(books, survivor)


def _unite(one: Account, other: Account, at: datetime) -> None:
    """Let the account about which less was decided give way; of equals the stricter rule holds."""
    if _standing(other) > _standing(one):
        one.status, one.zone, one.limit, one.override = other.status, other.zone, other.limit, other.override
        one.net_days, one.due_day = other.net_days, other.due_day
    elif _standing(other) == _standing(one):
        if "SUSPENDED" in (one.status, other.status):
            one.status = "SUSPENDED"
        overrides = [o.override if o.override and at < o.override[1] else None for o in (one, other)]
        limits = [o[0] if o else a.limit for o, a in zip(overrides, (one, other), strict=True)]
        ends = [o[1] for o in overrides if o]
        one.limit, now = min(one.limit, other.limit), min(limits)
        one.override = None
        if ends and now != one.limit:
            one.override = (now, min(ends) if now > one.limit else max(ends))
    one.wished = one.wished or other.wished
    opened = [a.opened_at for a in (one, other) if a.opened_at]
    one.opened_at = min(opened, default=None)


def _standing(account: Account) -> int:
    """How much a shop has decided about an account: nothing, closed it, a sale opened it, staff did."""
    if account.status in ("UNOPENED", "CLOSED"):
        return ("UNOPENED", "CLOSED").index(account.status)
    return 3 if any(change["kind"] == "OPEN" for change in account.changes) else 2


def forget(books: Books, customer: str) -> None:
    """Empty what staff wrote of a customer."""
    for change in books.account(customer).changes:
        change["reason"] = ""
    for payment in books.payments.values():
        if payment.customer == customer:
            payment.reference = ""
    for told in (*books.exceptions.values(), *books.answers.values()):
        if told["customer_id"] == customer:
            told.update({name: "" for name in ("note", "reference") if name in told})
