"""Whether a task has been told to end.

A cancelled transaction is rolled back; where Postgres hangs, that times out, and its TimeoutError takes the
place of the cancellation. A loop that goes on after errors asks here, or it would go on for ever.
"""

from __future__ import annotations

import asyncio


def told() -> bool:
    """Whether the present task was cancelled, whatever has been raised since."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
