"""Timed work: merges of large accounts, each in a transaction that keeps nobody else waiting."""

from __future__ import annotations

from datetime import datetime

import structlog

from credit.accounts import store as accounts
from credit.merges import store
from credit.merges.unite import unite
from kit import db, metrics
from kit.sweep import Sweep

log = structlog.get_logger()
NAME = "merge-large"
INTERVAL_S = 2.0


def sweep() -> Sweep:
    """The sweep that merges what a poll did not."""
    return Sweep(NAME, INTERVAL_S, run=run, waiting=waiting)


async def run(conn: db.Conn, now: datetime) -> int:
    """Do the merge that waits longest; both customers' calls wait, or come again, until it is done."""
    del now
    merge = await store.claim(conn)
    if merge is None:
        return 0
    await accounts.lock(conn, [merge.absorbed, merge.survivor], wait=True)
    refusal = await unite(conn, merge, apart=True)
    if refusal is not None:
        # Since it was put off, staff opened an account in another currency, or the customer was absorbed.
        await store.tried(conn, merge)
        metrics.SWEEP_FAILED.labels(NAME).inc()
        log.error("merge_refused", merchant=merge.absorbed.merchant_id, why=str(refusal))
        return 0
    await store.done(conn, merge)
    return 1


async def waiting(conn: db.Conn, now: datetime) -> bool:
    """Whether a merge waits."""
    del now
    return await store.is_waiting(conn)
