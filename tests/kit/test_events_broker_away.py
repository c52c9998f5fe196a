"""The broker goes away and comes back: nothing is lost, doubled or out of order, and we say so meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.broker import Broker
from kit.events import Outgoing, Relay, Speaker, horizon, topics
from kit.testing import ManualClock, eventually
from local.kafka import Kafka
from local.part import free_port

Event = Callable[..., Outgoing]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
async def own_broker(parts_home: Path) -> AsyncIterator[Kafka]:
    """A broker that a test may stop, for nobody else uses it."""
    broker = Kafka(parts_home / "kafka-away", free_port(), free_port(), parts_home / "kafka-away.log")
    await asyncio.to_thread(broker.prepare)
    broker.start()
    await asyncio.to_thread(broker.wait_ready)
    yield broker
    await asyncio.to_thread(broker.stop)


async def test_a_broker_that_is_killed_and_started_again_costs_nothing(
    shop, event: Event, own_broker: Kafka
) -> None:
    await topics.ensure(Broker(own_broker.bootstrap), topics.house(partitions=3, replication=1))
    clock = ManualClock(NOON)
    speaker = Speaker("customers", clock, timedelta(0))
    relay = Relay(dsn=shop.url, broker=Broker(own_broker.bootstrap), speaker=speaker)
    consumer = shop.consumer(own_broker.bootstrap)
    shop.start(relay.run())
    shop.start(consumer.run())

    async def sell(part: int) -> None:
        await shop.publish(*(event(f"{part}.{n}", key=f"K{n % 5}") for n in range(50)))

    async def all_of(parts: int) -> bool:
        return len(await shop.effects()) == parts * 50 and await consumer.settled()

    async def stands_at(instant: datetime) -> bool:
        async with shop.pool.acquire() as conn:
            return await horizon(conn, "customers") == instant

    await sell(0)
    await eventually(lambda: all_of(1), within=60)
    await eventually(lambda: stands_at(NOON), within=20)
    assert own_broker.part is not None
    await asyncio.to_thread(own_broker.part.kill)
    await sell(1)
    clock.advance(timedelta(hours=1))
    await eventually(lambda: not relay.healthy, within=60)
    assert not await consumer.settled()
    assert len(await shop.waiting()) == 50
    await eventually(lambda: not consumer.healthy, within=60)
    assert await stands_at(NOON), "what was sold since is not here"
    own_broker.start()
    await asyncio.to_thread(own_broker.wait_ready)
    await sell(2)
    await eventually(lambda: all_of(3), within=90)
    await eventually(lambda: stands_at(clock.now()), within=20)
    for k in range(5):
        assert await shop.effects(f"K{k}") == [f"{p}.{n}" for p in range(3) for n in range(50) if n % 5 == k]
    assert relay.healthy
    assert await shop.parked() == []
