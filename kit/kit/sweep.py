"""Sweeps: timed work that claims what is due now; many processes may run the same one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from kit import db, metrics
from kit.clock import Clock

log = structlog.get_logger()
CLAIM_MAX = 200


@dataclass(frozen=True, slots=True)
class Sweep:
    """Timed work. `run(conn, now)` does up to CLAIM_MAX things in the transaction it is given and returns
    how many; 0: nothing is due. With `io`, it is `io(now)` and opens its own transactions, because it
    talks to the world between them.
    """

    name: str
    interval_s: float
    run: Callable[[db.Conn, datetime], Awaitable[int]] | None = None
    io: Callable[[datetime], Awaitable[int]] | None = None


class Sweeper:
    """Runs one sweep until cancelled: at its interval, and at once when the clock jumps."""

    def __init__(self, sweep: Sweep, pool: db.Pool, clock: Clock) -> None:
        self._sweep, self._pool, self._clock = sweep, pool, clock
        self._done_for: datetime | None = None
        self._wake = asyncio.Event()

    def done_for(self, now: datetime) -> bool:
        """Tell whether nothing was left due at `now` when this sweep last looked."""
        return self._done_for is not None and self._done_for >= now

    def nudge(self) -> None:
        """Look again at once: something that this sweep works on has just been written."""
        self._wake.set()

    async def run(self) -> None:
        """Sweep until cancelled; a failed round is logged, counted and tried again with back-off."""
        pause = self._sweep.interval_s
        while True:
            try:
                await self._round()
                pause = self._sweep.interval_s
            except Exception as error:
                metrics.SWEEP_FAILED.labels(self._sweep.name).inc()
                log.exception("sweep_failed", sweep=self._sweep.name, error=type(error).__name__)
                pause = min(max(pause * 2, 0.5), 30.0)
            await self._rest(pause)

    async def _round(self) -> None:
        self._wake.clear()
        while True:
            now = self._clock.now()
            started = time.monotonic()
            if self._sweep.run is not None:
                async with db.transaction(self._pool) as conn:
                    done = await self._sweep.run(conn, now)
            else:
                assert self._sweep.io is not None
                done = await self._sweep.io(now)
            if done == 0:
                self._done_for = now
                return
            metrics.SWEEP_DONE.labels(self._sweep.name).inc(done)
            log.debug("swept", sweep=self._sweep.name, done=done, seconds=time.monotonic() - started)

    async def _rest(self, seconds: float) -> None:
        """Wait for the interval, a jump of the clock or a nudge, whichever comes first."""
        waits = [asyncio.create_task(self._clock.changed()), asyncio.create_task(self._wake.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            for wait in waits:
                with contextlib.suppress(asyncio.CancelledError):
                    await wait
