"""Timed work: holds that nobody used in time expire, once all that could have used them has been heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from credit import metrics
from credit.accounts.model import Key
from credit.holds import store
from credit.holds.model import lapse
from kit import db
from kit.counts import count
from kit.events import horizon
from kit.sweep import CLAIM_MAX, Sweep, apart

# Sales are what uses a hold, and customers says them.
HEARD_FROM = "customers"
NAME = "expire-holds"
INTERVAL_S = 5.0


def sweep() -> Sweep:
    """The sweep that lets holds expire."""
    return Sweep(NAME, INTERVAL_S, run=expire, waiting=waiting)


async def expire(conn: db.Conn, now: datetime) -> int:
    """Let the lapsed holds of up to CLAIM_MAX accounts expire; return how many holds that were.

    The horizon is read first: what was heard before it is visible to every later statement. Each account's
    lock guards its holds, so a sale that is booked at this moment is seen, or sees the hold EXPIRED.
    """
    heard = await horizon(conn, HEARD_FROM)
    keys = await store.claim_lapsed(conn, min(now, heard), CLAIM_MAX)
    if not keys:
        return 0
    return await apart(conn, NAME, sorted(keys), lambda some: _close(conn, some, now, heard))


async def _close(conn: db.Conn, keys: Sequence[Key], now: datetime, heard: datetime) -> int:
    pending = await store.lapsed(conn, keys, now)
    closed = [(hold, after) for hold, parked in pending if (after := lapse(hold, now, heard, parked))]
    await store.close(conn, closed)
    count(metrics.EXPIRED, len(closed))
    return len(closed)


async def waiting(conn: db.Conn, now: datetime) -> bool:
    """Whether a hold is over by the clock and kept only because older sales may still be on their way."""
    heard = await horizon(conn, HEARD_FROM)
    return heard < now and await store.is_due_between(conn, heard, now)
