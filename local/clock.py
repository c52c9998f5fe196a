"""The file clock that every service of the stack reads; it only moves forward."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kit.clock import move

TICK_SECONDS = 5


class StackClock:
    """The driver's side of the clock file."""

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if start is not None or not path.exists():
            self.move(start or datetime.now(UTC))

    def now(self) -> datetime:
        """The instant at which the stack stands."""
        return datetime.fromisoformat(self.path.read_text().strip())

    def move(self, instant: datetime) -> None:
        """Go forward to an instant; an earlier one changes nothing."""
        if not self.path.exists() or instant > self.now():
            move(self.path, instant)

    async def tick(self) -> None:
        """Follow the machine's time for ever, keeping any lead that somebody gave the clock."""
        lead = timedelta()
        while True:
            lead = max(lead, self.now() - datetime.now(UTC))
            self.move(datetime.now(UTC) + lead)
            await asyncio.sleep(TICK_SECONDS)
