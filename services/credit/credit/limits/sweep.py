"""Timed work: in the first round of an account's local month, its shop's policy decides its limit again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Key, local_date
from credit.limits import store
from credit.limits.decide import again
from credit.limits.model import is_due
from credit.policies.store import Policies
from kit import db
from kit.counts import count
from kit.sweep import CLAIM_MAX, Sweep, apart

log = structlog.get_logger()
NAME = "limits"
INTERVAL_S = 60.0


def sweep(policies: Policies) -> Sweep:
    """The sweep that has limits decided."""

    async def run(conn: db.Conn, now: datetime) -> int:
        return await decide(conn, policies, now)

    return Sweep(NAME, INTERVAL_S, run=run)


async def decide(conn: db.Conn, policies: Policies, now: datetime) -> int:
    """Have the limits of up to CLAIM_MAX accounts decided, each under its lock, and return how many."""
    todays = {zone: local_date(zone, now) for zone in await accounts.zones(conn)}
    keys = await store.claim(conn, todays, CLAIM_MAX)
    if not keys:
        return 0
    return await apart(conn, NAME, sorted(keys), lambda some: _decide(conn, some, policies, now))


async def _decide(conn: db.Conn, keys: Sequence[Key], policies: Policies, now: datetime) -> int:
    found = await accounts.read(conn, keys)
    # Claimed by what a snapshot showed, a moment before the lock: somebody may have decided in between.
    due = [account for account in found.values() if is_due(account, account.local_date(now))]
    in_force = await policies.at(conn, {account.merchant_id for account in due}, now)
    after, errors = await again(conn, [(a, in_force[a.merchant_id]) for a in due], now)
    await store.save(conn, after, now)
    for error in errors:
        count(metrics.LIMITS_UNDECIDED)
        log.warning("limit_undecided", reason=error.reason, why=str(error))
    count(metrics.LIMITS_DECIDED, len(after) - len(errors))
    return len(after)
