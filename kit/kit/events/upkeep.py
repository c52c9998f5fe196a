"""The timed work of events themselves: what may be known by now is tried again."""

from __future__ import annotations

from datetime import datetime

from kit.events.consumer import Consumer
from kit.sweep import Sweep

NOT_YET_SECONDS = 1.0


def sweeps(consumer: Consumer | None) -> list[Sweep]:
    """The sweeps that a process with this consumer runs."""
    if consumer is None:
        return []

    async def not_yet(now: datetime) -> int:
        # Back-off is wall time, so the business clock is not asked.
        return await consumer.retry_not_yet()

    return [Sweep("not_yet", NOT_YET_SECONDS, io=not_yet)]
