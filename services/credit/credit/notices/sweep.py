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
from credit.notices.model import Ladders, Steps, begun, notice
from credit.policies.store import Policies
from kit import db, events
from kit.counts import count
from kit.sweep import CLAIM_MAX, Sweep, apart

NAME = "notices"
INTERVAL_S = 30.0


def sweep(policies: Policies, hour: int) -> Sweep:
    """The sweep that gives the day's notices, from `hour` o'clock local time."""

    async def run(conn: db.Conn, now: datetime) -> int:
        return await give(conn, policies, hour, now)

    return Sweep(NAME, INTERVAL_S, run=run)


async def give(conn: db.Conn, policies: Policies, hour: int, now: datetime) -> int:
    """Give up to CLAIM_MAX notices, each under its account's lock, and return how many."""
    days = begun(hour, await accounts.zones(conn), now)
    if not days:
        metrics.NOTICES_LATE.set(0)
        return 0
    steps = await ladders(conn, policies, hour, now)
    zones = await store.claim(conn, days, steps, CLAIM_MAX)
    begins = {day.zone: day.begins for day in days}
    since = min((begins[zone] for zone in zones.values()), default=now)
    metrics.NOTICES_LATE.set((now - since).total_seconds())
    if not zones:
        return 0
    return await apart(conn, NAME, sorted(zones), lambda some: _give(conn, some, steps, now))


async def ladders(conn: db.Conn, policies: Policies, hour: int, now: datetime) -> Ladders:
    """Return the steps of the policies in force; where a plugin cannot say them, nothing is said."""
    own: dict[str, Steps] = {}
    silent: list[str] = []
    for merchant_id, policy in (await policies.every(conn, now)).items():
        if policy.reminders is None:
            silent.append(merchant_id)
        else:
            own[merchant_id] = Steps(hour, policy.reminders)
    metrics.DUNNING_UNDECIDED.set(len(silent))
    usual = policies.default.reminders
    assert usual is not None, "the default needs no plugin that could be absent"
    return Ladders(Steps(hour, usual), own, silent)


async def _give(conn: db.Conn, keys: Sequence[Key], steps: Ladders, now: datetime) -> int:
    found = await accounts.read(conn, keys)
    until = {
        key: account.local_date(now) + steps.of(key.merchant_id).horizon for key, account in found.items()
    }
    owed = await invoices.due_until(conn, until)
    every = [
        notice(steps.of(key.merchant_id), account, now, owed.get(key, [])) for key, account in found.items()
    ]
    # Claimed by what a snapshot showed, a moment before the lock: somebody may have said it in between.
    notices = await store.add(conn, [said for said in every if said is not None], now)
    await events.publish(conn, facts.TOPIC, [facts.payment_notice(said, now) for said in notices])
    for said in notices:
        count(metrics.NOTICES.labels(said.kind))
    return len(notices)
