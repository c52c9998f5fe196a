"""Timed work of the vault: what a crash left half done is completed, or withdrawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import groupby

import structlog

from customers import metrics
from customers.vault import pending as pendings
from customers.vault.pending import Pending
from kit import db
from kit.errors import DomainError
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
            metrics.VAULT_AGE.set(await pendings.oldest_s(conn))
            claimed = await pendings.claim(conn, self._complete_after_s, self._withdraw_after_s, CLAIM_MAX)
        if not claimed:
            return 0
        exists = await self._existing({_owner(p) for p in claimed})
        completed = await self._complete_each([p for p in claimed if _owner(p) in exists])
        withdrawn = 0
        for one in claimed:
            # An update of a customer that does not exist waits for its registration's end.
            if one.version == 1 and _owner(one) not in exists:
                async with db.transaction(self._pool) as conn:
                    withdrawn += await pendings.withdraw(conn, one, unless_touched=True)
        metrics.VAULT_WITHDRAWN.inc(withdrawn)
        log.info("half_done_writes", completed=completed, withdrawn=withdrawn)
        return completed + withdrawn

    async def _complete_each(self, ready: list[Pending]) -> int:
        """Complete customer by customer, so that a locked one delays only itself until the next look."""
        completed = 0
        for owner, pending in groupby(ready, _owner):
            changes = list(pending)
            try:
                await self._complete(changes)
            except DomainError as error:
                log.warning("half_done_write_waits", merchant=owner[0], customer=owner[1], why=error.reason)
            else:
                completed += len(changes)
        metrics.VAULT_COMPLETED.inc(completed)
        return completed


def _owner(pending: Pending) -> tuple[str, str]:
    return (pending.merchant_id, pending.customer_id)
