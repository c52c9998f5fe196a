"""A migration that adds a column while an older build serves: what it had prepared is prepared anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import asyncpg
import grpc
import pytest

from kit import db
from kit.execute import once
from kit.rpc.errors import translated
from kit.testing.plugin import NewDatabase


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[db.Pool]:
    """A pool of two connections to a database with a table."""
    made = await db.create_pool(await new_database(None), minimum=2, maximum=2)
    await made.execute("CREATE TABLE purchases (id int PRIMARY KEY); INSERT INTO purchases VALUES (1)")
    yield made
    await made.close()


async def _read(conn: db.Conn, requests: Sequence[int], wait: bool) -> list[int]:
    return [(await conn.fetchrow("SELECT * FROM purchases WHERE id = $1", one))["id"] for one in requests]


async def test_a_call_is_answered_after_a_column_was_added(pool: db.Pool) -> None:
    assert await once(pool, _read, 1) == 1
    await pool.execute("ALTER TABLE purchases ADD COLUMN of_the_next_release text")
    assert await once(pool, _read, 1) == 1


async def test_a_read_in_a_transaction_of_its_own_may_be_repeated(pool: db.Pool) -> None:
    async with db.transaction(pool) as conn:
        await _read(conn, [1], False)
    await pool.execute("ALTER TABLE purchases ADD COLUMN of_the_next_release text")
    with pytest.raises(asyncpg.InvalidCachedStatementError) as raised:
        async with db.transaction(pool) as conn:
            await _read(conn, [1], False)
    assert translated("/langganan.Any/Read", raised.value).code is grpc.StatusCode.ABORTED
    async with db.transaction(pool) as conn:
        assert await _read(conn, [1], False) == [1]
