"""Values that the tests of the models decide about; no database, no service."""

from __future__ import annotations

from datetime import UTC, datetime

from credit.accounts.model import Account, Cause, Key, Status
from credit.holds.model import Hold, State
from credit.invoices.model import Charge

AT = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
KEY = Key("toko", "customer")


def account(**fields):
    return Account(*KEY, **{"status": Status.ACTIVE, "currency_code": "IDR", "limit": 100} | fields)


def hold(state=State.PENDING, amount=50, customer="customer"):
    return Hold("toko", "h", customer, state, amount, AT)


def charge(amount, number=1):
    return Charge(KEY, f"i{number}", Cause.PURCHASE, f"p{number}", amount, AT, f"p{number}", "t1")
