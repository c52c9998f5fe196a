"""A service with all kinds of stray output: warnings, other loggers, and failures that nobody awaits."""

import asyncio
import gc
import logging
import threading
import warnings
from datetime import datetime

from kit.main import main
from kit.migrate import KIT_FOLDER
from kit.runtime import Database, Runtime, Service
from kit.settings import ServiceSettings
from kit.sweep import Sweep

_said: list[datetime] = []


class Dying:
    """Fails where nobody can catch it."""

    def __del__(self) -> None:
        raise ValueError("unraisable,\nin two lines")


def fail() -> None:
    """Fail."""
    raise ValueError("told to siti@example.com,\nin two lines")


async def fail_later() -> None:
    """Fail in a task."""
    fail()


async def make_noise(now: datetime) -> int:
    """Once: everything that writes to standard error by itself elsewhere."""
    if _said:
        return 0
    _said.append(now)
    warnings.warn("a warning\nin two lines", stacklevel=1)
    logging.getLogger("uvicorn.error").warning("a stray line of %s\nin two lines", "+6281234567890")
    for _ in range(1_000):
        logging.getLogger("aiokafka.conn").error("no broker at %s", "kafka:9092")
    asyncio.get_running_loop().call_soon(fail)
    task = asyncio.create_task(fail_later())
    await asyncio.wait([task])
    del task
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Dying()
    gc.collect()
    fail()
    return 0


async def build(runtime: Runtime[ServiceSettings]) -> Service:
    """Wire it."""
    return Service(pool=await runtime.pool(), sweeps=[Sweep("noise", 0.1, io=make_noise)], topic="notify")


if __name__ == "__main__":
    main("noisy", ServiceSettings, build, [Database("database_url", (KIT_FOLDER,))])
