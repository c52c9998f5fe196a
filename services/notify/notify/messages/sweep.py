"""Sends what is due: claim and commit, prepare, send, write what came of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from kit import cause, db, failpoints
from kit.batch import once
from kit.cause import Cause
from kit.clock import Clock
from notify import metrics
from notify.messages import model, store
from notify.messages.attempt import Attempt, Preparation
from notify.messages.dispatch import Dispatch
from notify.messages.model import Outcome, Reason
from notify.messages.records import Claimed
from notify.settings import Settings

log = structlog.get_logger()
# A batch that takes longer goes on by itself, so that a channel that hangs holds up no other; but so many.
_PATIENCE_S = 3.0
_LATE_MAX = 4
_UNAVAILABLE = (Reason.CONTACTS_UNAVAILABLE, Reason.CREDIT_UNAVAILABLE, Reason.CHANNEL_UNAVAILABLE)


class Sender:
    """One round after the other; many processes may each run one."""

    def __init__(
        self, pool: db.Pool, clock: Clock, preparation: Preparation, dispatch: Dispatch, settings: Settings
    ) -> None:
        self._pool, self._clock, self._settings = pool, clock, settings
        self._preparation, self._dispatch = preparation, dispatch
        self._limit = settings.send_batch
        self._late: set[asyncio.Task[bool]] = set()

    async def round(self, now: datetime) -> int:
        """Attempt up to a batch of messages that are due; return how many, 0 when to look again later.

        While nothing gets through, one message at a time probes whether it does again: an outage of
        hours must not ask customers for thousands of contacts a minute.
        A batch with a slow channel in it goes on beside the next one.
        Cancelled, it begins no further message, but what is under way is finished and written first:
        otherwise every roll-out would send some messages twice.
        """
        if len(self._late) >= _LATE_MAX:
            await asyncio.wait(self._late, return_when=asyncio.FIRST_COMPLETED)
        async with db.transaction(self._pool) as conn:
            claimed = await store.claim(conn, now=now, limit=self._limit, lease_s=self._settings.lease_s)
        if not claimed:
            return 0
        failpoints.hit("messages-claimed")
        work = asyncio.create_task(self._work(claimed, now), name="send-batch")
        try:
            done, _ = await asyncio.wait([work], timeout=_PATIENCE_S)
        except asyncio.CancelledError:
            self._leave(work)
            await self.close()
            raise
        if not done:
            self._leave(work)
            return len(claimed)
        gets_through = work.result()
        self._limit = self._settings.send_batch if gets_through else 1
        return len(claimed) if gets_through else 0

    async def close(self) -> None:
        """Begin no further message; finish and write what is under way."""
        self._dispatch.stopping = True
        if self._late:
            _, left = await asyncio.wait(self._late, timeout=self._settings.drain_s)
            for work in left:
                work.cancel()

    def _leave(self, work: asyncio.Task[bool]) -> None:
        """Let a batch go on by itself."""
        self._late.add(work)
        work.add_done_callback(self._came_late)

    def _came_late(self, work: asyncio.Task[bool]) -> None:
        self._late.discard(work)
        if work.cancelled():
            return
        if (error := work.exception()) is not None:
            log.error("sweep_failed", sweep="messages", error=type(error).__name__)
            return
        self._limit = self._settings.send_batch if work.result() else 1

    async def waiting(self, conn: db.Conn, now: datetime) -> bool:
        """Whether an attempt is under way or to follow: what is due has not left yet. Held ones wait well."""
        del now  # retries and leases are wall time
        return await store.unfinished(conn) > 0

    async def _work(self, claimed: Sequence[Claimed], now: datetime) -> bool:
        """Attempt, write, and tell whether anything got through (to customers, and to a provider)."""
        # In a task of its own: these are its causes to its end.
        cause.become(
            [
                Cause({"message_id": c.message_id}, c.traceparent, (c.merchant_id, c.customer_id))
                for c in claimed
            ]
        )
        ready, done = await self._preparation.prepare(claimed, now)
        done += await self._dispatch.send_all(ready)
        # As one request, for its retries: what is sent and cannot be written would be sent again.
        _count(done, await once(self._pool, self._finish, done))
        return any(outcome.last_failure not in _UNAVAILABLE for _, outcome in done)

    async def _finish(self, conn: db.Conn, lists: Sequence[list[Attempt]], wait: bool) -> list[list[Attempt]]:
        del wait  # once always waits for locks
        now = self._clock.now()
        return [await store.finish(conn, done, [self._pause_s(*one) for one in done], now) for done in lists]

    def _pause_s(self, claimed: Claimed, outcome: Outcome) -> float:
        if outcome.at_once:
            return 0.0
        draw = random.random()
        return model.pause_s(claimed.attempts, self._settings.retry_s, self._settings.retry_max_s, draw)


def _count(done: Sequence[Attempt], written: Sequence[Attempt]) -> None:
    metrics.LEASES_LOST.inc(len(done) - len(written))
    wall = datetime.now(UTC)
    for claimed, outcome in written:
        if outcome.state in model.FINAL:
            metrics.MESSAGES_FINISHED.labels(
                claimed.kind, outcome.state, outcome.reason, outcome.channel
            ).inc()
            metrics.WAIT_SECONDS.labels(claimed.kind).observe((wall - claimed.made_at).total_seconds())
