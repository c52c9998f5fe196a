"""What a transaction counts holds when it is committed: nothing that was undone, nothing twice."""

import asyncio
from typing import Any

import pytest
from prometheus_client import Counter

from kit import db
from kit.counts import count


@pytest.fixture
def sales() -> Counter:
    return Counter("sales", "for this test", registry=None)


def of(counter: Counter) -> float:
    return sum(s.value for metric in counter.collect() for s in metric.samples if s.name.endswith("_total"))


async def test_a_transaction_that_is_done_again_is_counted_once(shop: Any, sales: Counter) -> None:
    async def lose() -> None:
        async with db.transaction(shop.pool):
            count(sales)
            raise RuntimeError("lost against another")

    with pytest.raises(RuntimeError):
        await lose()
    assert of(sales) == 0
    async with db.transaction(shop.pool):
        count(sales, 2)
        assert of(sales) == 0, "not before it is committed"
    assert of(sales) == 2


async def test_of_a_savepoint_that_is_undone_nothing_counts_and_of_the_rest_all(
    shop: Any, sales: Counter
) -> None:
    async def spoil(conn: db.Conn) -> None:
        async with db.savepoint(conn):
            count(sales, 100)
            raise RuntimeError("this one is poisoned")

    async with db.transaction(shop.pool) as conn:
        count(sales)
        async with db.savepoint(conn):
            count(sales, 10)
        with pytest.raises(RuntimeError):
            await spoil(conn)
        assert of(sales) == 0
    assert of(sales) == 11


async def test_what_belongs_to_no_transaction_counts_at_once(shop: Any, sales: Counter) -> None:
    count(sales)
    assert of(sales) == 1
    ended = asyncio.Event()

    async def later() -> None:
        await ended.wait()
        count(sales)

    async with db.transaction(shop.pool):
        task = asyncio.create_task(later())
    ended.set()
    await task
    assert of(sales) == 2
