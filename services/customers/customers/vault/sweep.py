"""Timed work of the vault: what a crash left half done is completed, or withdrawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from customers import metrics
from customers.vault import pending as pendings
from customers.vault.pending import Pending
from kit import db
from kit.sweep import CLAIM_MAX

log = structlog.get_logger()
Keys = set[tuple[str, str]]


class HalfDone:
    """Completes updates, and withdraws registrations whose customer never came to be.

    `existing` and `complete` belong to profiles: which customers exist, and teach them what is pending.
    """

    def __init__(
        self,
        pool: db.Pool,
        existing: Callable[[Keys], Awaitable[Keys]],
        complete: Callable[[list[Pending]], Awaitable[None]],
        *,
        complete_after_s: float,
        withdraw_after_s: float,
    ) -> None:
        self._pool, self._existing, self._complete = pool, existing, complete
        self._complete_after_s, self._withdraw_after_s = complete_after_s, withdraw_after_s

    async def run(self, now: datetime) -> int:
        """Work on up to 200 half-done writes; return how many were completed or withdrawn."""
        del now  # a lease is wall time
        async with db.transaction(self._pool) as conn:
            claimed = await pendings.claim(conn, self._complete_after_s, self._withdraw_after_s, CLAIM_MAX)
        if not claimed:
            return 0
        exists = await self._existing({(p.merchant_id, p.customer_id) for p in claimed})
        ready = [p for p in claimed if (p.merchant_id, p.customer_id) in exists]
        await self._complete(ready)
        metrics.VAULT_COMPLETED.inc(len(ready))
        withdrawn = 0
        for one in claimed:
            # An update of a customer that does not exist waits for its registration's end.
            if one.version == 1 and (one.merchant_id, one.customer_id) not in exists:
                async with db.transaction(self._pool) as conn:
                    withdrawn += await pendings.withdraw(conn, one, unless_touched=True)
        metrics.VAULT_WITHDRAWN.inc(withdrawn)
        log.info("half_done_writes", completed=len(ready), withdrawn=withdrawn)
        return len(ready) + withdrawn
