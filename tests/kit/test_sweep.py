"""Sweeps: woken by a clock that jumps, and what is broken of one customer holds up nobody else."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Gauge

from kit import clock, db, metrics
from kit.sweep import Sweep, Sweeper, apart, shown
from kit.testing import eventually

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600.0


async def test_a_file_clock_that_moves_wakes_a_sweep_long_before_its_interval(
    shop: Any, tmp_path: Path
) -> None:
    path = tmp_path / "clock"
    clock.move(path, DAY)
    seen: list[datetime] = []

    async def run(_: db.Conn, now: datetime) -> int:
        if now in seen:
            return 0
        seen.append(now)
        return 1

    sweeping = asyncio.create_task(
        Sweeper(Sweep("woken", HOUR, run=run), shop.pool, clock.FileClock(path)).run()
    )
    try:
        for days in range(3):
            clock.move(path, DAY + timedelta(days=days))
            await eventually(lambda wanted=DAY + timedelta(days=days): wanted in seen, within=5)
    finally:
        sweeping.cancel()
    assert len(seen) == 3


async def test_a_clock_that_moves_during_a_look_is_not_missed(shop: Any, tmp_path: Path) -> None:
    path = tmp_path / "clock"
    clock.move(path, DAY)
    file_clock, seen = clock.FileClock(path), list[datetime]()

    async def run(_: db.Conn, now: datetime) -> int:
        seen.append(now)
        if len(seen) == 1:
            clock.move(path, DAY + timedelta(days=1))
            assert file_clock.now() > now, "somebody else of the process has read it meanwhile"
        return 0

    sweeping = asyncio.create_task(Sweeper(Sweep("late", HOUR, run=run), shop.pool, file_clock).run())
    try:
        await eventually(lambda: len(seen) > 1, within=5)
    finally:
        sweeping.cancel()
    assert seen == [DAY, DAY + timedelta(days=1)]


async def test_a_customer_whose_books_are_broken_is_left_out_and_everybody_else_done(shop: Any) -> None:
    async def work(conn: db.Conn, some: Sequence[tuple[str, str]]) -> int:
        for merchant, customer in some:
            await conn.execute("INSERT INTO done VALUES ($1, $2)", merchant, customer)
            if customer == "broken":
                raise AssertionError("more is freed than is held")
        return len(some)

    await shop.pool.execute("CREATE TABLE done (merchant text, customer text)")
    claimed = [("toko", "a"), ("toko", "broken"), ("warung", "b")]
    failed = metrics.SWEEP_FAILED.labels("tried")
    before = failed._value.get()
    async with db.transaction(shop.pool) as conn:
        assert await apart(conn, "tried", claimed, lambda some: work(conn, some)) == 2
    rows = await shop.pool.fetch("SELECT customer FROM done ORDER BY 1")
    assert [row["customer"] for row in rows] == ["a", "b"], "nothing of whoever failed is half done"
    assert failed._value.get() == before + 1


async def test_what_is_nobodys_fault_ends_the_round(shop: Any) -> None:
    async def work(_: Sequence[tuple[str, str]]) -> int:
        raise db.LOCKED

    with pytest.raises(db.LOCKED):
        async with db.transaction(shop.pool) as conn:
            await apart(conn, "tried", [("toko", "a"), ("toko", "b")], work)


async def test_a_sweep_tells_when_it_last_looked_and_a_failed_look_is_none(shop: Any) -> None:
    outcomes: list[int | Exception] = [2, 0, RuntimeError("the table is gone")]

    async def run(_: db.Conn, __: datetime) -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    sweeper = Sweeper(Sweep("watched", HOUR, run=run), shop.pool, clock.SystemClock())
    looked = metrics.SWEEP_LOOKED.labels("watched")
    before = time.time()
    await sweeper.look()
    at = looked._value.get()
    assert before <= at <= time.time()
    with pytest.raises(RuntimeError):
        await sweeper.look()
    assert looked._value.get() == at


async def test_what_a_database_holds_is_shown_and_what_it_holds_no_more_is_zero(shop: Any) -> None:
    gauge = Gauge("shown_colours", "for this test", ["colour"], registry=None)
    found = {"red": 2}

    async def read(_: db.Conn) -> dict[str, int]:
        return found

    show = Sweeper(shown("shown", gauge, read, ["red", "blue"]), shop.pool, clock.SystemClock())

    def figures() -> dict[str, float]:
        return {s.labels["colour"]: s.value for metric in gauge.collect() for s in metric.samples}

    assert await show.look() == 0
    assert figures() == {"red": 2, "blue": 0}
    found = {"blue": 1}
    await show.look()
    assert figures() == {"red": 0, "blue": 1}
