"""A clock that stands until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands at `instant`; only moves forward."""

    def __init__(self, instant: datetime = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)) -> None:
        self._now = instant
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the business instant, aware, in UTC."""
        return self._now

    async def changed(self, since: datetime) -> None:
        """Return once the clock has been moved past `since`."""
        while self._now <= since:
            await self._moved.wait()

    def advance(self, by: timedelta) -> datetime:
        """Move forward and wake whoever waits; return the new instant."""
        assert by >= timedelta(0), "this clock only moves forward"
        self._now += by
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        return self._now
