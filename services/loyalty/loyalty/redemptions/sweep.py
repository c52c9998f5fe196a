"""Reservations whose time is over are given back, once no sale that uses them can still be on its way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.counts import count
from kit.db import Conn
from kit.events import horizon
from kit.sweep import CLAIM_MAX, apart
from loyalty import metrics
from loyalty.accounts import store as accounts
from loyalty.redemptions import store
from loyalty.redemptions.model import lapse

NAME = "reservations"
HEARS = "customers"
"""The topic on which sales are told."""


async def run(conn: Conn, now: datetime) -> int:
    """Expire the reservations of up to 200 customers; return of how many.

    One expires when its time was over by now and all that customers said of before then is applied here. A
    worker that was away for an hour thus gives nothing back that a sale of that hour has used.
    """
    until = min(now, await horizon(conn, HEARS))
    keys = await store.claim_holders(conn, until, CLAIM_MAX)
    if not keys:
        return 0
    return await apart(conn, NAME, keys, lambda some: _give_back(conn, some, until))


async def _give_back(conn: Conn, keys: Sequence[accounts.Key], until: datetime) -> int:
    # The locks are held: what is read from here on, a sale or an event parked meanwhile, is committed.
    due = await store.overdue(conn, keys, until)
    books = await accounts.load(conn, keys)
    await accounts.load_lots(conn, [book for book in books.values() if book.account.negative])
    for reservation in due:
        lapse(books[reservation.merchant_id, reservation.customer_id], reservation)
    await store.update(conn, due)
    await accounts.write(conn, books.values())
    count(metrics.RESERVATIONS_EXPIRED, len(due))
    return len(keys)


async def waiting(conn: Conn, now: datetime) -> bool:
    """Tell whether a reservation is over of which a sale may still be on its way."""
    return await store.unheard(conn, await horizon(conn, HEARS), now)
