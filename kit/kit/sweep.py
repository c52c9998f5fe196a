"""Sweeps: timed work that claims what is due now; many processes may run the same one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from prometheus_client import Gauge

from kit import db, ending, metrics
from kit.clock import Clock
from kit.events import trouble

log = structlog.get_logger()
CLAIM_MAX = 200
Key = TypeVar("Key", bound=tuple[str, str])  # merchant, customer


@dataclass(frozen=True, slots=True)
class Sweep:
    """Timed work. `run(conn, now)` does up to CLAIM_MAX things in the transaction it is given and returns
    how many; 0: nothing is due. With `io`, it is `io(now)` and opens its own transactions, because it
    talks to the world between them.

    `waiting(conn, now)`: whether due work is left that only waits until all older events have been heard
    (kit.events.horizon), or for another attempt in wall time. The worker is not settled meanwhile; the
    clock need not move for it to be done.
    """

    name: str
    interval_s: float
    run: Callable[[db.Conn, datetime], Awaitable[int]] | None = None
    io: Callable[[datetime], Awaitable[int]] | None = None
    waiting: Callable[[db.Conn, datetime], Awaitable[bool]] | None = None


def shown(
    name: str,
    gauge: Gauge,
    read: Callable[[db.Conn], Awaitable[Mapping[str, int]]],
    labels: Iterable[str],
    every_s: float = 30.0,
) -> Sweep:
    """The sweep by which `work` shows figures of the database: `read` gives them by label, 0 where absent."""
    known = dict.fromkeys(labels, 0)

    async def show(conn: db.Conn, _: datetime) -> int:
        for label, figure in (known | dict(await read(conn))).items():
            gauge.labels(label).set(figure)
        return 0

    return Sweep(name, every_s, run=show)


async def apart(
    conn: db.Conn, sweep: str, claimed: Sequence[Key], work: Callable[[Sequence[Key]], Awaitable[int]]
) -> int:
    """Let `work` do all claimed, who are locked; where that fails, each alone, but for whoever fails then.

    So one customer whose books are broken keeps nobody else waiting. Returns how many things were done: not
    counting those left out, which are due again at the next round, logged and counted as failed.
    """
    try:
        async with db.savepoint(conn):
            return await work(claimed)
    except Exception as error:
        if trouble.blameless(error, conn):
            raise
    done = 0
    for one in claimed:
        try:
            async with db.savepoint(conn):
                done += await work([one])
        except Exception as error:
            if trouble.blameless(error, conn):
                raise
            metrics.SWEEP_FAILED.labels(sweep).inc()
            log.exception(
                "left_out", sweep=sweep, merchant=one[0], customer=one[1], error=type(error).__name__
            )
    return done


class Sweeper:
    """Runs one sweep until cancelled: at its interval, and at once when the clock jumps."""

    def __init__(self, sweep: Sweep, pool: db.Pool, clock: Clock) -> None:
        self._sweep, self._pool, self._clock = sweep, pool, clock
        self._busy = asyncio.Lock()
        self._seen = clock.now()  # when it was at the latest look

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self._sweep.name

    async def look(self) -> int:
        """Do now all that is due, and return how many things that were."""
        async with self._busy:
            return await self._round()

    async def waiting(self) -> bool:
        """Whether due work waits for events that are older and not heard yet."""
        if self._sweep.waiting is None:
            return False
        async with self._pool.acquire(timeout=5) as conn:
            return await self._sweep.waiting(conn, self._clock.now())

    async def run(self) -> None:
        """Sweep until cancelled; a failed round is logged, counted and tried again with back-off."""
        pause = self._sweep.interval_s
        while not ending.told():
            try:
                await self.look()
                pause = self._sweep.interval_s
            except Exception as error:
                metrics.SWEEP_FAILED.labels(self._sweep.name).inc()
                log.exception("sweep_failed", sweep=self._sweep.name, error=type(error).__name__)
                pause = min(max(pause * 2, 0.5), 30.0)
            if not ending.told():
                await self._rest(pause)

    async def _round(self) -> int:
        total = 0
        while True:
            now = self._seen = self._clock.now()
            started = time.monotonic()
            if self._sweep.run is not None:
                async with db.transaction(self._pool) as conn:
                    done = await self._sweep.run(conn, now)
            else:
                assert self._sweep.io is not None
                done = await self._sweep.io(now)
            metrics.SWEEP_LOOKED.labels(self._sweep.name).set_to_current_time()
            if done == 0:
                return total
            total += done
            metrics.SWEEP_DONE.labels(self._sweep.name).inc(done)
            log.debug("swept", sweep=self._sweep.name, done=done, seconds=time.monotonic() - started)

    async def _rest(self, seconds: float) -> None:
        """Wait for the interval or a jump of the clock, whichever comes first; one during the look counts."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._clock.changed(self._seen), seconds)
