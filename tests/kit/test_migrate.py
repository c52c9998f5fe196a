"""Migrations that several start at once, or that are killed in the middle, come to their end."""

import asyncio
import contextlib
from pathlib import Path

import asyncpg
import pytest

from kit.migrate import KIT_FOLDER, migrate
from kit.testing import eventually
from kit.testing.plugin import NewDatabase

# As a migration of a large table is written; no transaction, so nothing is undone.
CONCURRENTLY = """-- migrate:up transaction:false
create index concurrently if not exists parked_again on parked_events (merchant_id);
-- migrate:down
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A migration more."""
    made = tmp_path / "more"
    made.mkdir()
    (made / "20300101000000_parked_again.sql").write_text(CONCURRENTLY)
    return made


async def test_jobs_that_migrate_at_once_take_turns(folder: Path, new_database: NewDatabase) -> None:
    url = await new_database(None)
    conn = await asyncpg.connect(url)
    try:
        async with conn.transaction():  # keeps the first at its index until all are there
            await conn.execute("LOCK TABLE parked_events IN ROW EXCLUSIVE MODE")
            jobs = [asyncio.create_task(migrate(url, [KIT_FOLDER, folder])) for _ in range(3)]
            other = await asyncpg.connect(url)
            await eventually(lambda: _waiting(other, 3), within=30)
            await other.close()
        await asyncio.gather(*jobs)
        assert await _valid(conn)
    finally:
        await conn.close()


async def test_an_index_whose_making_was_killed_is_made_again(
    folder: Path, new_database: NewDatabase
) -> None:
    url = await new_database(None)
    conn, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with conn.transaction():
            await conn.execute("LOCK TABLE parked_events IN ROW EXCLUSIVE MODE")
            making = asyncio.create_task(
                other.execute(CONCURRENTLY.splitlines()[1]),
            )
            watching = await asyncpg.connect(url)
            await eventually(lambda: _waiting(watching, 1), within=30)
            await watching.execute("SELECT pg_terminate_backend($1)", other.get_server_pid())
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await making
            assert await _valid(watching) is False, "what a killed Job leaves"
            await watching.close()
        await migrate(url, [KIT_FOLDER, folder])
        assert await _valid(conn)
    finally:
        other.terminate()
        await conn.close()


async def _waiting(conn: asyncpg.Connection, count: int) -> bool:
    here = "FROM pg_stat_activity WHERE datname = current_database()"
    return bool(await conn.fetchval(f"SELECT count(*) {here} AND wait_event_type = 'Lock'") == count)


async def _valid(conn: asyncpg.Connection) -> bool | None:
    return await conn.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('parked_again')"
    )
