"""Business time. Wall and monotonic time (leases, back-off, deadlines) never come from here."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

POLL_SECONDS = 0.05


class Clock(Protocol):
    """Where business facts take their now from."""

    def now(self) -> datetime:
        """Return the business instant, aware, in UTC."""

    async def changed(self, since: datetime) -> None:
        """Return once the clock has jumped past `since`, also when it did so before; else never return."""


class SystemClock:
    """The time of the machine."""

    def now(self) -> datetime:
        """Return the business instant, aware, in UTC."""
        return datetime.now(UTC)

    async def changed(self, since: datetime) -> None:
        """Never return: this clock does not jump."""
        await asyncio.Event().wait()


class FileClock:
    """A clock that stands at the instant written in a file (RFC 3339) and only moves forward."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = 0
        self._now = datetime.min.replace(tzinfo=UTC)
        self._moved = asyncio.Event()
        self._read()

    def _read(self) -> None:
        stamp = self._path.stat().st_mtime_ns
        if stamp == self._stamp:
            return
        self._stamp = stamp
        text = self._path.read_text().strip()
        if not text:
            return
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError(f"{self._path} must hold an RFC 3339 instant with its offset")
        instant = instant.astimezone(UTC)
        if instant > self._now:
            self._now = instant
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    def now(self) -> datetime:
        """Return the business instant, aware, in UTC."""
        self._read()
        return self._now

    async def changed(self, since: datetime) -> None:
        """Return once the file holds an instant after `since`."""
        while self.now() <= since:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), POLL_SECONDS)


def move(path: Path, instant: datetime) -> None:
    """Write `instant` to a clock file in one step; a driver calls it once the system is settled."""
    fresh = path.with_suffix(".new")
    fresh.write_text(instant.astimezone(UTC).isoformat())
    fresh.replace(path)
