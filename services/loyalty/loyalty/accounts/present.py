"""An account as it stands on the customer's local day: nobody is offered points past their last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from kit.db import Conn
from loyalty.accounts import store
from loyalty.accounts.expiry import lapsed
from loyalty.accounts.model import Account, Book
from loyalty.days import local_day


@dataclass(frozen=True, slots=True)
class Present:
    """An account, its points that can be reserved, those that lapsed, and what expires next."""

    account: Account
    active: int
    lapsed: int
    expiring_next: int
    expires_on: date | None


async def present(conn: Conn, merchant_id: str, customer_id: str, now: datetime) -> Present | None:
    """Return the account of a customer, the survivor's for an alias; None: nothing was heard of it."""
    row = await store.queries.account_of(conn, merchant_id=merchant_id, customer_id=customer_id)
    if row is None:
        return None
    account = store.account_from(row)
    today = local_day(now, account.time_zone)
    ends = list(zip(row["last_days"], row["points_by_day"], strict=True))
    gone = 0
    if any(day < today for day, _ in ends):
        book = Book(account)
        await store.load_lots(conn, [book])
        await store.load_holds(conn, [book])
        gone = sum(lapsed(book, today).values())
    next_day, next_points = next(((day, points) for day, points in ends if day >= today), (None, 0))
    return Present(account, max(account.active - gone, 0), gone, next_points, next_day)
