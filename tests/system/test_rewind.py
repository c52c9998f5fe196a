"""Rewind, from outside: what is right stays as it is, and a restored database hears what it lacks."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import Trade, operate


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> Trade:
    shop = Trade(stack, till)
    await shop.open()
    return shop


@pytest.mark.parametrize("service", ["loyalty", "credit"])
async def test_a_rewind_restores_what_a_database_lacks_and_changes_nothing_else(
    service: str, trade: Trade
) -> None:
    stack = trade.stack
    customers = [await trade.register() for _ in range(3)]
    for one in customers:
        await trade.sell(one, cash=50_000, credit=20_000)
    await stack.settled()
    await stop(stack, service)
    old = datetime.now(UTC)
    await on_postgres(stack, f"CREATE DATABASE {service}_copy TEMPLATE {service} OWNER {service}")
    await stack.restart(service)
    for one in customers[1:]:
        await trade.sell(one, cash=10_000, credit=30_000)
        await trade.sell(one, cash=70_000)
    await stack.settled()
    right = [await trade.books(one) for one in customers]
    assert [b.points for b in right] == [70, 180, 180]

    # To the beginning: all is heard a second time.
    await stop(stack, service)
    code, said = await operate(trade.stack, service, "rewind", "--to", "2026-01-01T00:00:00Z")
    assert code == 0, said
    await stack.restart(service)
    await stack.settled()
    assert [await trade.books(one) for one in customers] == right

    # Even if nothing remembered that it was heard: effects have keys of their own.
    await stop(stack, service)
    await on_database(stack, service, "TRUNCATE inbox")
    assert (await operate(trade.stack, service, "rewind", "--to", "2026-01-01T00:00:00Z"))[0] == 0
    await stack.restart(service)
    await stack.settled()
    assert [await trade.books(one) for one in customers] == right

    # The database is lost; the copy is older than the second sales.
    await stop(stack, service)
    await on_postgres(
        stack,
        f"ALTER DATABASE {service} RENAME TO {service}_lost",
        f"ALTER DATABASE {service}_copy RENAME TO {service}",
        f"REVOKE ALL ON DATABASE {service} FROM PUBLIC",
    )
    code, said = await operate(trade.stack, service, "rewind", "--to", old.isoformat())
    assert code == 0, said
    await stack.restart(service)
    await stack.settled()
    assert [await trade.books(one) for one in customers] == right
    await on_postgres(stack, f"DROP DATABASE {service}_lost WITH (FORCE)")


async def stop(stack: Stack, service: str) -> None:
    assert await asyncio.to_thread(stack.parts[service].stop) == 0


async def on_postgres(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(stack.superuser_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def on_database(stack: Stack, service: str, statement: str) -> None:
    connection = await asyncpg.connect(stack.database_urls[service])
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
