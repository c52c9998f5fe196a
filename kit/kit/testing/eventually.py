"""Waiting for what must become true, with a deadline in place of a sleep."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(what: Callable[[], T | Awaitable[T]], *, within: float = 10.0, every: float = 0.02) -> T:
    """Call `what` until it returns something true, and return that; fail after `within` seconds."""
    until = time.monotonic() + within
    while True:
        value = what()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what} was still {value!r} after {within} s")
        await asyncio.sleep(every)
