"""What a consumer shows of its lag is of the partitions that it has, for others show the rest."""

import asyncio

from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from kit.events.monitor import Monitor
from kit.testing import eventually

GROUP = "monitored"


def shown(topic: str) -> float | None:
    """The lag of a topic as Prometheus reads it."""
    return REGISTRY.get_sample_value("langganan_consumer_lag_records", {"group": GROUP, "topic": topic})


async def test_lag_goes_with_the_partitions(shop, monkeypatch) -> None:
    monkeypatch.setattr("kit.events.monitor.EVERY_SECONDS", 0.01)
    mine = {TopicPartition("customers", 0): 5, TopicPartition("credit", 0): 7}

    async def lag() -> dict[TopicPartition, int]:
        return dict(mine)

    watch = asyncio.create_task(Monitor(shop.pool, GROUP).watch(lag, lambda: False))
    assert await eventually(lambda: (shown("customers"), shown("credit")) == (5, 7), within=10)
    del mine[TopicPartition("credit", 0)]  # a rebalance gave it to another member
    assert await eventually(lambda: (shown("customers"), shown("credit")) == (5, 0), within=10)
    watch.cancel()
    await asyncio.wait([watch])
    assert (shown("customers"), shown("credit")) == (0, 0), "who has left counts nothing"
