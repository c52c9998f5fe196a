"""A migration that only adds disturbs no build that runs: every statement is prepared again by itself."""

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from kit.rpc.line import channel_options
from local.services import SERVICES
from local.stack import Stack
from tests.system.methods import Door
from tests.system.shops import Shop, shop_of
from tests.system.strangers import OWNER_HEARS, REQUESTS

DATABASES = (*SERVICES, "vault")


async def _every_table(stack: Stack, change: str) -> None:
    """ALTER each table of each database."""
    for database in DATABASES:
        conn = await asyncpg.connect(stack.database_urls[database])
        try:
            await conn.execute("SET lock_timeout = '5s'")
            for (table,) in await conn.fetch(
                "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
                "AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_migrations'"
            ):
                await conn.execute(f'ALTER TABLE "{table}" {change}')
        finally:
            await conn.close()


async def _parked(stack: Stack) -> Mapping[str, int]:
    """Parked events, by service."""
    found = {}
    for service in SERVICES:
        conn = await asyncpg.connect(stack.database_urls[service])
        found[service] = await conn.fetchval("SELECT count(*) FROM parked_events WHERE status = 'POISONED'")
        await conn.close()
    return found


async def _everything(shop: Shop) -> dict[str, str]:
    """Call each method on what the shop holds; return, by method, what was heard that should not be."""
    heard = {name: await shop.knock(name, build(shop.names)) for name, build in sorted(REQUESTS.items())}
    return {
        name: f"{outcome.code.name} {outcome.reason}: {outcome.detail}"
        for name, outcome in heard.items()
        if outcome.reason != OWNER_HEARS.get(name, "")
    }


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Door]:
    """Doors at which is knocked as a gateway does, by the shipped service config."""
    door = Door(stack.grpc, channel_options())
    yield door
    await door.close()


async def test_tables_grow_and_shrink_under_every_call_and_event(stack: Stack, gateway: Door) -> None:
    parked = await _parked(stack)
    before = shop_of(stack, gateway, "dulu")
    await before.open()
    await before.furnish()
    assert await _everything(before) == {}
    for change in ("ADD COLUMN of_a_later_release text", "DROP COLUMN of_a_later_release"):
        # Prepared while the tables were as they were; changed under the sessions that remember.
        await _every_table(stack, change)
        shop = shop_of(stack, gateway, "kini")
        await shop.open()
        await shop.furnish()
        assert await _everything(shop) == {}
    await stack.settled()
    assert await _parked(stack) == parked
