"""Batches against a real Postgres: shared commits, isolated errors, lanes for locked accounts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import pytest

from kit import db, deadline
from kit.batch import LOCKED, Batcher, LockedType, once
from kit.errors import DeadlineExceeded, InvalidArgument, ResourceExhausted, Unavailable
from kit.testing import eventually
from kit.testing.plugin import NewDatabase


@dataclass(frozen=True)
class Add:
    """Add `amount` to `account`; a negative sum is refused by a CHECK of the table."""

    account: str
    amount: int
    merchant: str = "toko"


class Adder:
    """A store: locks, folds in order, writes once; remembers the size of each list it was given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.orders: list[list[str]] = []

    async def run(
        self, conn: db.Conn, requests: Sequence[Add], wait: bool
    ) -> list[int | Exception | LockedType]:
        self.sizes.append(len(requests))
        self.orders.append([r.merchant for r in requests])
        names = sorted({r.account for r in requests})
        lock = "FOR NO KEY UPDATE" if wait else "FOR NO KEY UPDATE SKIP LOCKED"
        rows = await conn.fetch(f"SELECT id FROM accounts WHERE id = ANY($1) ORDER BY id {lock}", names)
        held = {row["id"] for row in rows}
        sums = dict(await conn.fetch("SELECT id, n FROM accounts WHERE id = ANY($1)", sorted(held)))
        replies: list[int | Exception | LockedType] = []
        for request in requests:
            if request.account not in held:
                replies.append(LOCKED)
            elif request.amount == 13:
                replies.append(InvalidArgument("thirteen is refused by the fold"))
            else:
                sums[request.account] += request.amount
                replies.append(sums[request.account])
        await conn.execute(
            "UPDATE accounts a SET n = s.n FROM unnest($1::text[], $2::int[]) AS s (id, n) WHERE a.id = s.id",
            list(sums),
            list(sums.values()),
        )
        return replies


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[db.Pool]:
    pool = await db.create_pool(await new_database(None), maximum=4, lock_timeout_ms=100)
    await pool.execute("CREATE TABLE accounts (id text PRIMARY KEY, n int NOT NULL CHECK (n >= 0))")
    await pool.execute("INSERT INTO accounts SELECT 'a' || i, 0 FROM generate_series(0, 9) AS i")
    yield pool
    await pool.close()


def batcher_of(pool: db.Pool, adder: Adder, **limits: int) -> Batcher[Add, int]:
    return Batcher("test", pool, adder.run, key=lambda r: r.account, merchant=lambda r: r.merchant, **limits)


async def test_requests_that_arrive_while_a_commit_is_in_flight_share_the_next(pool: db.Pool) -> None:
    adder = Adder()
    batcher = batcher_of(pool, adder)
    replies = await asyncio.gather(*(batcher.submit(Add("a0", 1)) for _ in range(100)))
    assert sorted(replies) == list(range(1, 101))
    assert len(adder.sizes) < 10
    assert await pool.fetchval("SELECT n FROM accounts WHERE id = 'a0'") == 100


async def test_who_arrives_just_after_a_crowd_waits_for_the_others(pool: db.Pool) -> None:
    adder = Adder()
    batcher = batcher_of(pool, adder)
    await asyncio.gather(*(batcher.submit(Add("a0", 1)) for _ in range(10)))
    first = asyncio.create_task(batcher.submit(Add("a0", 1)))
    for _ in range(5):  # turns in which it would have left
        await asyncio.sleep(0)
    assert await asyncio.gather(first, batcher.submit(Add("a1", 1))) == [11, 1]
    assert adder.sizes[-1] == 2


async def test_an_error_in_the_fold_belongs_to_its_item(pool: db.Pool) -> None:
    batcher = batcher_of(pool, Adder())
    results = await asyncio.gather(
        *(batcher.submit(Add("a1", n)) for n in (1, 13, 2)), return_exceptions=True
    )
    assert results[0] == 1
    assert isinstance(results[1], InvalidArgument)
    assert results[2] == 3


async def test_what_the_database_refuses_is_cut_out_and_the_rest_is_done(pool: db.Pool) -> None:
    batcher = batcher_of(pool, Adder())
    requests = [Add(f"a{n}", -1 if n == 4 else 1) for n in range(10)]
    results = await asyncio.gather(*(batcher.submit(r) for r in requests), return_exceptions=True)
    assert [n for n, r in enumerate(results) if isinstance(r, InvalidArgument)] == [4]
    assert await pool.fetchval("SELECT sum(n) FROM accounts") == 9


async def test_a_locked_account_delays_only_itself(pool: db.Pool) -> None:
    batcher = batcher_of(pool, Adder())
    async with pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("SELECT 1 FROM accounts WHERE id = 'a2' FOR UPDATE")
        waiting = asyncio.create_task(batcher.submit(Add("a2", 5)))
        assert await asyncio.wait_for(batcher.submit(Add("a3", 1)), 2) == 1
        second = asyncio.create_task(batcher.submit(Add("a2", 6)))
        assert await asyncio.wait_for(batcher.submit(Add("a4", 1)), 2) == 1
        assert not waiting.done()
        await held.rollback()
    assert await waiting == 5
    assert await second == 11


async def test_cancelling_a_caller_cancels_only_its_wait(pool: db.Pool) -> None:
    batcher = batcher_of(pool, Adder())
    task = asyncio.create_task(batcher.submit(Add("a5", 7)))
    other = asyncio.create_task(batcher.submit(Add("a5", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    assert await other in (1, 8)
    await batcher.drain()


async def test_an_expired_deadline_is_dropped_before_the_transaction(pool: db.Pool) -> None:
    batcher = batcher_of(pool, Adder())
    deadline.set_remaining(0)
    with pytest.raises(DeadlineExceeded):
        await batcher.submit(Add("a6", 1))
    deadline.set_remaining(None)
    assert await pool.fetchval("SELECT n FROM accounts WHERE id = 'a6'") == 0


async def test_who_has_queued_for_too_long_is_sent_to_read_the_clock_again(
    pool: db.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.batch._QUEUED_S", -1.0)
    adder = Adder()
    with pytest.raises(ResourceExhausted, match="same id"):
        await batcher_of(pool, adder).submit(Add("a6", 1))
    assert adder.sizes == [], "nothing was begun"


async def test_one_merchants_backlog_neither_fills_the_queue_nor_starves_another(pool: db.Pool) -> None:
    adder = Adder()
    batcher = batcher_of(pool, adder, max_batch=10, max_queue=100)
    many = [asyncio.create_task(batcher.submit(Add("a7", 1, "big"))) for _ in range(80)]
    await asyncio.sleep(0)
    small = asyncio.create_task(batcher.submit(Add("a8", 1, "small")))
    results = await asyncio.gather(*many, return_exceptions=True)
    assert await small == 1
    assert any(isinstance(r, ResourceExhausted) for r in results)
    assert "small" in [m for order in adder.orders[:2] for m in order]


async def test_a_connection_lost_in_the_transaction_is_answered_by_running_once_more(pool: db.Pool) -> None:
    adder = Adder()
    killed: list[int] = []

    async def dies_once(
        conn: db.Conn, requests: Sequence[Add], wait: bool
    ) -> list[int | Exception | LockedType]:
        if not killed:
            killed.append(await conn.fetchval("SELECT pg_backend_pid()"))
            async with pool.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", killed[0])
        return await adder.run(conn, requests, wait)

    assert await once(pool, dies_once, Add("a9", 3)) == 3
    assert await pool.fetchval("SELECT n FROM accounts WHERE id = 'a9'") == 3


async def test_a_database_that_stays_away_is_unavailable_and_nothing_hangs(pool: db.Pool) -> None:
    async def always_lost(
        conn: db.Conn, requests: Sequence[Add], wait: bool
    ) -> list[int | Exception | LockedType]:
        raise asyncpg.PostgresConnectionError("gone")

    with pytest.raises(Unavailable) as caught:
        await once(pool, always_lost, Add("a0", 1))
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_a_database_that_went_read_only_is_unavailable(pool: db.Pool) -> None:
    async def on_a_standby(
        conn: db.Conn, requests: Sequence[Add], wait: bool
    ) -> list[int | Exception | LockedType]:
        await conn.execute("SET TRANSACTION READ ONLY")
        return await Adder().run(conn, requests, wait)

    with pytest.raises(Unavailable) as caught:
        await once(pool, on_a_standby, Add("a0", 1))
    assert caught.value.reason == "DATABASE_UNAVAILABLE"


async def test_waiting_alone_ends_with_a_reason(pool: db.Pool) -> None:
    async with pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("SELECT 1 FROM accounts WHERE id = 'a0' FOR UPDATE")
        deadline.set_remaining(0.3)
        with pytest.raises(Unavailable) as caught:
            await once(pool, Adder().run, Add("a0", 1))
        deadline.set_remaining(None)
        await held.rollback()
    assert caught.value.reason == "ACCOUNT_BUSY"
    assert await eventually(lambda: pool.get_idle_size() > 0)


async def test_one_merchants_locked_accounts_leave_lanes_and_queue_to_the_others(pool: db.Pool) -> None:
    """Six accounts of one merchant stay locked; another's, locked and freed, is served before them."""
    batcher = batcher_of(pool, Adder(), max_queue=20)
    async with pool.acquire() as other, pool.acquire() as brief:
        held, short = other.transaction(), brief.transaction()
        await held.start()
        await short.start()
        await other.execute("SELECT 1 FROM accounts WHERE id < 'a6' FOR UPDATE")
        await brief.execute("SELECT 1 FROM accounts WHERE id = 'a6' FOR UPDATE")
        many = [asyncio.create_task(batcher.submit(Add(f"a{n}", 1, "big"))) for n in range(6)]
        await eventually(lambda: len(batcher._lanes) == 6)
        more = [asyncio.create_task(batcher.submit(Add("a0", 1, "big"))) for _ in range(10)]
        await asyncio.sleep(0)
        small = asyncio.create_task(batcher.submit(Add("a6", 1, "small")))
        await eventually(lambda: len(batcher._lanes) == 7)
        await short.rollback()
        assert await asyncio.wait_for(small, 5) == 1
        assert not any(task.done() for task in many), "served before what waited longer for its own locks"
        refused = [task for task in more if task.done()]
        assert {type(task.exception()) for task in refused} == {ResourceExhausted}
        assert len(many) + len(more) - len(refused) == 2 + 10, (
            "two are tried, and half of what may wait waits"
        )
        await held.rollback()
    await asyncio.gather(*many, *more, return_exceptions=True)
    assert not batcher._waiting_of
