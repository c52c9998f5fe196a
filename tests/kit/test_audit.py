"""An audit looks at every customer once, names what differs, waits for nobody and holds nobody up."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from kit import audit, db
from kit.audit import Audit, Difference
from kit.testing.plugin import NewDatabase

CUSTOMERS = 450  # more than two pages


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[db.Pool]:
    pool = await db.create_pool(await new_database(None))
    async with pool.acquire() as conn:
        await conn.execute("create table purses (m text, c text, coins int, primary key (m, c))")
        await conn.execute("create table moves (m text, c text, coins int)")
        await conn.execute(
            "insert into purses select 'shop' || n % 2, 'c' || n, 7 from generate_series(1, $1::int) as n",
            CUSTOMERS,
        )
        await conn.execute("insert into moves select m, c, n from purses, (values (3), (4)) as v (n)")
    yield pool
    await pool.close()


async def read_page(conn: db.Conn, after: tuple[str, str], limit: int) -> Sequence[tuple[str, str]]:
    sql = "select m, c from purses where (m, c) > ($1, $2) order by m, c limit $3"
    return [(row["m"], row["c"]) for row in await conn.fetch(sql, *after, limit)]


async def coins(conn: db.Conn, keys: Sequence[tuple[str, str]]) -> list[Difference]:
    rows = await conn.fetch(
        "select m, c, coins, (select sum(coins) from moves as v where (v.m, v.c) = (p.m, p.c)) as moved "
        "from purses as p where (m, c) in (select * from unnest($1::text[], $2::text[]))",
        [m for m, _ in keys],
        [c for _, c in keys],
    )
    return [
        Difference("coins", r["m"], r["c"], "coins in the purse", str(r["moved"]), str(r["coins"]))
        for r in rows
        if r["coins"] != r["moved"]
    ]


BOOKS = Audit(read_page, [coins])


async def test_every_customer_is_looked_at_once_and_healthy_books_pass(pool: db.Pool) -> None:
    seen: list[tuple[str, str]] = []

    async def note(_: db.Conn, keys: Sequence[tuple[str, str]]) -> list[Difference]:
        seen.extend(keys)
        return []

    outcome = await audit.run_audit(pool, Audit(read_page, [coins, note]))
    assert (outcome.looked_at, outcome.differences) == (CUSTOMERS, 0)
    assert len(seen) == len(set(seen)) == CUSTOMERS


async def test_a_corrupted_row_is_named_with_what_it_must_be(pool: db.Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("update purses set coins = 8 where c = 'c444'")
    outcome = await audit.run_audit(pool, BOOKS)
    assert outcome.first == [Difference("coins", "shop0", "c444", "coins in the purse", "7", "8")]


async def test_a_write_between_two_checks_of_a_page_is_no_difference(pool: db.Pool) -> None:
    async def move(_: db.Conn, keys: Sequence[tuple[str, str]]) -> list[Difference]:
        async with db.transaction(pool) as conn:
            await conn.execute("update purses set coins = coins + 1")
            await conn.execute("insert into moves select m, c, 1 from purses")
        return []

    outcome = await audit.run_audit(pool, Audit(read_page, [coins, move, coins]))
    assert (outcome.looked_at, outcome.differences) == (CUSTOMERS, 0)


async def test_the_outcome_outlives_the_run_and_a_failed_run_does_not_count_as_passed(pool: db.Pool) -> None:
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    await audit.note(pool, "books", first, await audit.run_audit(pool, BOOKS))
    async with pool.acquire() as conn:
        passed = await conn.fetchval("select passed_at from audits where name = 'books'")
        await conn.execute("update purses set coins = 8 where c in ('c1', 'c2')")
    await audit.note(pool, "books", second, await audit.run_audit(pool, BOOKS))
    show = audit.watch().run
    assert show is not None
    async with db.transaction(pool) as conn:
        assert await show(conn, second) == 0
        row = await conn.fetchrow("select * from audits")
    assert row is not None
    assert (row["started_at"], row["differences"], row["passed_at"]) == (second, 2, passed)
    assert shown("differences") == 2
    assert shown("passed_seconds") == passed.timestamp()
    assert shown("finished_seconds") == row["finished_at"].timestamp()


def shown(gauge: str) -> float | None:
    return REGISTRY.get_sample_value(f"langganan_audit_{gauge}", {"audit": "books"})
