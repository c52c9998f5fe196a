"""Poisoned events, from outside: one customer waits alone, staff heal it, eleven stop the worker."""

import json
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from kit.testing import eventually
from local.demo.gateway import Gateway
from local.http import get
from local.stack import Stack
from tests.system.trade import Books, Trade, operate


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> AsyncIterator[Trade]:
    shop = Trade(stack, till)
    await shop.open()
    yield shop
    await mend(stack)


async def break_for(stack: Stack, customers: Sequence[str]) -> None:
    """Let loyalty fail on every entry of these customers, as a fault in its code would."""
    names = ", ".join(f"'{one}'" for one in customers)
    await on_loyalty(
        stack,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a fault in the code'; END $$",
        f"CREATE TRIGGER fault BEFORE INSERT ON entries FOR EACH ROW WHEN (NEW.customer_id IN ({names})) "
        "EXECUTE FUNCTION fail()",
    )


async def mend(stack: Stack) -> None:
    """Deploy the handler that works."""
    await on_loyalty(stack, "DROP TRIGGER IF EXISTS fault ON entries", "DROP FUNCTION IF EXISTS fail()")


async def on_loyalty(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(stack.database_urls["loyalty"])
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def parked(trade: Trade) -> list[tuple[str, str, str]]:
    """(customer, event, status) of what loyalty has put aside, by its own command."""
    code, said = await operate(trade.stack, "loyalty", "parked", "list")
    assert code == 0, said
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{") and "status" in line]
    return [(row["key"], row["type"], row["status"]) for row in rows]


async def test_a_poisoned_customer_waits_alone_and_is_healed_in_order(trade: Trade) -> None:
    poisoned, other = await trade.register(), await trade.register()
    await trade.stack.settled()
    await break_for(trade.stack, [poisoned])
    await trade.sell(poisoned, cash=50_000)
    await trade.sell(other, cash=30_000)
    await trade.sell(poisoned, cash=20_000, credit=10_000)
    await trade.stack.settled()
    assert (await trade.books(other)).points == 30
    before = await trade.books(poisoned)
    assert before == Books(0, 10_000, 0, (10_000,), 2, 2), "only loyalty waits"
    waits = [(poisoned, "purchase-completed", status) for status in ("POISONED", "BEHIND")]
    assert await parked(trade) == waits

    code, said = await operate(trade.stack, "loyalty", "parked", "replay")
    assert (code, "applied 0, still parked 2" in said) == (1, True), "it fails as before and stays"
    await mend(trade.stack)
    code, said = await operate(
        trade.stack, "loyalty", "parked", "replay", "--merchant", "toko", "--customer", poisoned
    )
    assert (code, "applied 2, still parked 0" in said) == (0, True), said
    await trade.stack.settled()
    assert await trade.books(poisoned) == Books(80, 10_000, 0, (10_000,), 2, 2)
    assert await points_in_order(trade.stack, poisoned) == [50, 30]
    assert await parked(trade) == []


async def points_in_order(stack: Stack, customer_id: str) -> list[int]:
    connection = await asyncpg.connect(stack.database_urls["loyalty"])
    try:
        rows = await connection.fetch(
            "SELECT points FROM entries WHERE customer_id = $1 ORDER BY entry_no", customer_id
        )
    finally:
        await connection.close()
    return [row["points"] for row in rows]


async def test_eleven_poisoned_customers_stop_the_consumer_and_health_says_so(trade: Trade) -> None:
    many = [await trade.register() for _ in range(11)]
    await trade.stack.settled()
    await break_for(trade.stack, many)
    for one in many:
        await trade.sell(one, cash=10_000)
    ready = await eventually(lambda: not_ready(trade.stack), within=40)
    assert "stopped" in ready["waiting_for"]["consumer"]
    assert "mend the handler" in ready["waiting_for"]["consumer"]
    assert len(await parked(trade)) <= 10
    assert (await get(trade.stack.http["loyalty"], "/live"))[0] == 200, "a restart would only poison more"
    assert (await trade.books(many[0])).points == 0, "tills are answered meanwhile"

    await mend(trade.stack)
    await trade.stack.restart("loyalty")
    code, said = await operate(trade.stack, "loyalty", "parked", "replay")
    assert (code, "still parked 0" in said) == (0, True), said
    await trade.stack.settled()
    assert [(await trade.books(one)).points for one in many] == [10] * 11


async def not_ready(stack: Stack) -> dict[str, dict[str, str]] | None:
    status, body = await get(stack.http["loyalty"], "/ready")
    said = json.loads(body)
    return said if status == 503 and "consumer" in said["waiting_for"] else None
