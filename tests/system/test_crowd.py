"""64 tills at once, whatever they do and whatever dies: no limit is passed, nothing lost or counted twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import psutil
import pytest

from kit.db import LOST
from kit.testing import eventually
from langganan.credit.v1 import accounts_pb2, holds_pb2
from local.stack import Stack
from tests.system.commits import Commits, tell_commits
from tests.system.conftest import OPENING, settings_of_its_own
from tests.system.crowd import TILLS, Crowd
from tests.system.trade import operate

LIMIT = 1_000_000
KILLS = 2


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Stack]:
    """A credit service and its worker, each a process of its own, on a Postgres that waits for its disk."""
    with settings_of_its_own() as settings:
        async with Stack(settings, start=OPENING, services=("credit",), apart=True) as running:
            await tell_commits(running)
            yield running


class Watch:
    """Reads all accounts again and again while a crowd trades; `looks` counts how often."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self.looks = 0

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        till, customer = self._crowd.tills[0], self._crowd.customers[0]
        while True:
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                assert await rows(self._crowd, PASSED) == []
            request = accounts_pb2.GetAccountRequest(customer_id=customer)
            told = (await till.line.answered("GetAccount", request)).account
            assert told.posted.units + told.held.units <= LIMIT + told.credit_balance.units
            self.looks += 1


PASSED = "SELECT * FROM accounts WHERE merchant_id = $1 AND posted + held > credit_limit + credit_balance"
BALANCES = "SELECT customer_id, posted - credit_balance AS owed, held FROM accounts WHERE merchant_id = $1"


async def rows(crowd: Crowd, sql: str) -> list[asyncpg.Record]:
    """What a query with the merchant as its argument finds."""
    connection = await asyncpg.connect(crowd.stack.database_urls["credit"])
    try:
        return await connection.fetch(sql, crowd.merchant)
    finally:
        await connection.close()


async def check(crowd: Crowd, commits: Commits) -> None:
    """Compare the books with what the tills were told, account by account, hold by hold, commit by commit."""
    await crowd.stack.settled()
    balances = {row["customer_id"]: row for row in await rows(crowd, BALANCES)}
    owed, held = crowd.owed(), crowd.held()
    for customer in crowd.customers:
        row = balances[customer]
        assert (row["owed"], row["held"]) == (owed[customer], held[customer]), customer
    kept = {
        str(row["hold_id"]): row for row in await rows(crowd, "SELECT * FROM holds WHERE merchant_id = $1")
    }
    assert len(kept) == len(crowd.wishes)
    for wish in crowd.approved:
        hold = kept[wish.hold_id]
        assert (hold["customer_id"], hold["amount"]) == (wish.customer, wish.amount)
        assert (hold["state"], hold["captured"]) == (holds_pb2.HoldState.Name(wish.end)[11:], wish.charged)
    assert await rows(crowd, "SELECT * FROM invoice_exceptions WHERE merchant_id = $1") == []
    assert len(await rows(crowd, "SELECT 1 FROM payments WHERE merchant_id = $1")) == crowd.payments
    replay = await commits.replay()
    assert set(replay.entries.values()) == {1}, "no cause has an effect twice"
    assert {c: a.folded for c, a in replay.accounts.items()} == {
        c: (a.cached[0], a.cached[1], held[c]) for c, a in replay.accounts.items()
    }
    assert replay.states > len(crowd.approved)
    code, said = await operate(crowd.stack, "credit", "audit")
    assert code == 0, said


async def more(crowd: Crowd, answers: int) -> None:
    """Wait until the tills were told of so many more holds whether they are approved."""
    enough = crowd.answered + answers
    await eventually(lambda: crowd.answered >= enough, within=60)


def kill(stack: Stack, victim: str) -> None:
    """End a process at once; of Postgres all that belong to it, so that none ends what it was doing."""
    its = psutil.Process(stack.parts[victim].pid).children(recursive=True)
    stack.kill(victim)
    for process in its:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def was_rough(seen: Counter[str]) -> None:
    """The tills did what they are here for."""
    for what in ("twice", "hang_up", "expire", "raced", "CANCELLED", "DEADLINE_EXCEEDED"):
        assert seen[what] >= TILLS // 8, seen


@pytest.mark.parametrize(("accounts", "rounds"), [(1, 12), (1_000, 20)])
async def test_64_tills_never_pass_a_limit_and_count_nothing_twice(
    shop: Stack, accounts: int, rounds: int
) -> None:
    async with Crowd(shop, 7, LIMIT) as crowd, Commits(shop, crowd.merchant) as commits:
        await crowd.open(accounts)
        async with Watch(crowd) as watch:
            await crowd.trade(lambda done: done == rounds)
        await check(crowd, commits)
        was_rough(crowd.seen)
        assert watch.looks > rounds
        approved = len(crowd.approved)
        assert TILLS < approved < len(crowd.wishes) - TILLS, "some are approved and some are not"


@pytest.mark.parametrize("victim", ["credit", "credit-work", "postgres"])
async def test_whatever_is_killed_among_64_tills_every_answer_that_was_received_stands(
    shop: Stack, victim: str
) -> None:
    async with Crowd(shop, 11, LIMIT) as crowd, Commits(shop, crowd.merchant) as commits:
        await crowd.open(8)
        async with Watch(crowd):
            over = asyncio.Event()
            trading = asyncio.create_task(crowd.trade(lambda done: over.is_set()))
            for _ in range(KILLS):
                await more(crowd, 4 * TILLS)
                kill(shop, victim)
                await shop.restart(victim)
            await more(crowd, 2 * TILLS)
            over.set()
            await trading
        await crowd.ask_all_again()
        await check(crowd, commits)
        was_rough(crowd.seen)
        if victim != "credit-work":
            assert crowd.seen["UNAVAILABLE"] >= TILLS, "tills were hit"
