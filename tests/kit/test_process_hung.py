"""A process ends in the time that its pod is given, whatever the database does meanwhile."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from kit.migrate import KIT_FOLDER, migrate
from kit.testing import eventually
from tests.kit.tiny import Tiny

GRACE_S = 60  # terminationGracePeriodSeconds of work


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that neither answer nor end, as on a node that hangs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_a_worker_whose_database_hangs_is_live_unready_and_ends_when_told(
    idle_tiny: Tiny, bare_database: str, postgres_url: str
) -> None:
    await migrate(bare_database, [KIT_FOLDER])
    await idle_tiny.start("work")
    await idle_tiny.becomes("/settled", 200)
    admin = await asyncpg.connect(postgres_url)
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = $1"
    pids = [row["pid"] for row in await admin.fetch(asked, bare_database.rsplit("/", 1)[1])]
    await admin.close()
    with stopped(pids):
        await idle_tiny.becomes("/ready", 503)
        assert (await idle_tiny.becomes("/live", 200))["live"], "a hung database restarts nobody"
        idle_tiny.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(idle_tiny.process.wait(), GRACE_S) == 0
    assert idle_tiny.said("stopped")


async def test_a_process_that_waits_for_a_locked_schema_says_so_and_ends_when_told(
    idle_tiny: Tiny, bare_database: str
) -> None:
    await migrate(bare_database, [KIT_FOLDER])
    holder = await asyncpg.connect(bare_database)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
            await idle_tiny.start("serve")
            await eventually(lambda: idle_tiny.said("waiting_for_schema"), within=30)
            idle_tiny.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(idle_tiny.process.wait(), 15) == 0
    finally:
        await holder.close()
