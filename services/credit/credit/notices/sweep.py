"""Timed work: at an hour of each local day, say to each customer once what is due and what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from credit import events as facts
from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.invoices import store as invoices
from credit.notices import store
from credit.notices.model import Steps, begun, notice
from kit import db, events
from kit.sweep import CLAIM_MAX, Sweep, apart

NAME = "notices"
INTERVAL_S = 30.0


def sweep(steps: Steps) -> Sweep:
    """The sweep that gives the day's notices."""

    async def run(conn: db.Conn, now: datetime) -> int:
        return await give(conn, steps, now)

    return Sweep(NAME, INTERVAL_S, run=run)


async def give(conn: db.Conn, steps: Steps, now: datetime) -> int:
    """Give up to CLAIM_MAX notices, each under its account's lock, and return how many."""
    days = begun(steps, await accounts.zones(conn), now)
    wanted = [(day, due_on) for day in days for due_on in steps.due_dates(day.local_date)]
    if not wanted:
        return 0
    keys = await store.claim(conn, wanted, CLAIM_MAX)
    if not keys:
        return 0
    return await apart(conn, NAME, sorted(keys), lambda some: _give(conn, some, steps, now))


async def _give(conn: db.Conn, keys: Sequence[Key], steps: Steps, now: datetime) -> int:
    found = await accounts.read(conn, keys)
    until = {key: account.local_date(now) + steps.horizon for key, account in found.items()}
    owed = await invoices.due_until(conn, until)
    every = [notice(steps, account, now, owed.get(key, [])) for key, account in found.items()]
    # Claimed by what a snapshot showed, a moment before the lock: somebody may have said it in between.
    notices = await store.add(conn, [said for said in every if said is not None], now)
    await events.publish(conn, facts.TOPIC, [facts.payment_notice(said, now) for said in notices])
    for said in notices:
        metrics.NOTICES.labels(said.kind).inc()
    return len(notices)
