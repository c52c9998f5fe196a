"""Closes a Kafka client in bounded time, whatever state the broker's absence has left it in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

CLOSE_SECONDS = 5.0


async def close(stop: Coroutine[Any, Any, None], client: Any) -> None:
    """Run a client's stop(); when it hangs or fails, close its connections without it.

    It runs as a task of its own: aiokafka's stop() may raise the CancelledError of one of its own tasks,
    which must not pass for our being cancelled.
    """
    stopping = asyncio.create_task(stop)
    await asyncio.wait([stopping], timeout=CLOSE_SECONDS)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping], timeout=1.0)
    if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
        await client.close()
