"""Values that the tests of the models decide about; no database, no service."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from credit.accounts.model import Account, Cause, Entry, Key, Status
from credit.holds.model import Hold, State
from credit.invoices.model import Charge, issue

AT = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
KEY = Key("toko", "customer")


def account(**fields):
    return Account(*KEY, **{"status": Status.ACTIVE, "currency_code": "IDR", "limit": 100} | fields)


def hold(state=State.PENDING, amount=50, customer="customer"):
    return Hold("toko", "h", customer, state, amount, AT)


def charge(amount, number=1):
    return Charge(KEY, f"i{number}", Cause.PURCHASE, f"p{number}", amount, AT, f"p{number}", "t1")


def entry(cause, cause_id, line, effect, posted, credit=0, invoice_id="i1"):
    """A line of the ledger at AT."""
    return Entry(KEY, cause, cause_id, line, effect, invoice_id, posted, credit, AT)


def owed(amount=100, **fields):
    """Invoice i1 of purchase p1."""
    return replace(issue(account(), charge(amount)).invoice, **fields)
