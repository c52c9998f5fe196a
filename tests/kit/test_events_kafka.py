"""Consumer and relay together against the real broker: once in effect, in order, whoever comes and goes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from google.protobuf.wrappers_pb2 import StringValue
from prometheus_client import REGISTRY

from kit.broker import Broker
from kit.events import Handler, Outgoing, Relay, topics
from kit.events.consumer import APART_SECONDS
from kit.events.envelope import as_record
from kit.events.rewind import GroupActive, rewind
from kit.testing import eventually

Event = Callable[..., Outgoing]


async def members(bootstrap: str, group: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        [response] = await admin.describe_consumer_groups([group])
        return len(response.groups[0][5])
    finally:
        await admin.close()


async def committed(bootstrap: str, group: str) -> int:
    """How many records a group has behind it, by its committed offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return sum(place.offset for place in (await admin.list_consumer_group_offsets(group)).values())
    finally:
        await admin.close()


async def test_what_is_published_is_applied_in_order_for_each_customer(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    consumer = shop.consumer(kafka_bootstrap, prefix)
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    shop.start(consumer.run())
    for round_ in range(5):
        await shop.publish(*(event(f"{round_}.{n}", key=f"K{n % 11}") for n in range(200)))
    await eventually(consumer.settled, within=20)
    await eventually(lambda: settled_with(shop, consumer, 1000), within=20)
    for k in range(11):
        expected = [f"{r}.{n}" for r in range(5) for n in range(200) if n % 11 == k]
        assert await shop.effects(f"K{k}") == expected
    assert await shop.waiting() == []


async def test_a_backlog_is_applied_once_and_in_order_though_one_of_its_transactions_fails(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    try:
        for n in range(1_500):
            record = as_record(event(f"{n}", key=f"K{n % 11}"), prefix + "customers", n)
            await producer.send(record.topic, record.value, record.key, headers=record.headers)
        await producer.flush()
    finally:
        await producer.stop()
    failed: list[str] = []

    async def apply(conn, events):
        if not failed and any(e.payload.value == "700" for e in events):
            failed.append("full")
            raise asyncpg.DiskFullError("full")
        return await shop.apply(conn, events)

    consumer = shop.consumer(
        kafka_bootstrap, prefix, handlers={"bought": Handler(StringValue, apply, folds=True)}
    )
    shop.start(consumer.run())
    await eventually(lambda: settled_with(shop, consumer, 1_500), within=30)
    assert failed == ["full"]
    for k in range(11):
        assert await shop.effects(f"K{k}") == [f"{n}" for n in range(1_500) if n % 11 == k]


async def test_events_that_trickle_in_are_taken_together(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    consumer = shop.consumer(kafka_bootstrap, prefix)
    shop.start(consumer.run())
    await eventually(consumer.settled, within=20)
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    began, before = time.monotonic(), polls()
    try:
        for n in range(200):
            record = as_record(event(f"{n}", key=f"K{n % 11}"), prefix + "customers", n)
            await producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)
        await eventually(lambda: settled_with(shop, consumer, 200), within=20)
    finally:
        await producer.stop()
    assert polls() - before <= 1 + (time.monotonic() - began) / APART_SECONDS


def polls() -> float:
    return REGISTRY.get_sample_value("langganan_poll_records_count", {"group": "shop"}) or 0.0


async def settled_with(shop, consumer, count: int) -> bool:
    return await consumer.settled() and len(await shop.effects()) == count


async def test_the_consumer_pauses_while_its_database_is_away_and_keeps_its_place(
    shop, event: Event, kafka_bootstrap: str, prefix: str, wire, wired_pool
) -> None:
    consumer = shop.consumer(kafka_bootstrap, prefix, pool=wired_pool)
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    shop.start(consumer.run())
    await shop.publish(event("before"))
    await eventually(lambda: settled_with(shop, consumer, 1), within=20)
    await wire.cut()
    await shop.publish(*(event(f"during {n}") for n in range(20)))
    await eventually(lambda: consumer.state == "away")
    assert not consumer.healthy
    assert not await consumer.settled()
    assert await members(kafka_bootstrap, prefix + "shop") == 1, "it is still a member"
    await wire.mend()
    await eventually(lambda: settled_with(shop, consumer, 21), within=20)
    assert await shop.effects() == ["before", *(f"during {n}" for n in range(20))]
    assert await shop.parked() == []


async def test_members_that_come_and_go_lose_nothing_and_double_nothing(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    first, second = (shop.consumer(kafka_bootstrap, prefix) for _ in range(2))
    first_run = shop.start(first.run())

    async def sell(part: int) -> None:
        for n in range(20):
            await shop.publish(*(event(f"{part}.{n}", key=f"K{k}") for k in range(12)))

    await sell(0)
    shop.start(second.run())
    await sell(1)
    await shop.stop(first_run)
    await sell(2)
    await eventually(lambda: settled_with(shop, second, 720), within=30)
    for k in range(12):
        assert await shop.effects(f"K{k}") == [f"{p}.{n}" for p in range(3) for n in range(20)]


async def test_a_consumer_that_is_told_to_end_leaves_its_group_at_once(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    consumer = shop.consumer(kafka_bootstrap, prefix)
    run = shop.start(consumer.run())
    await shop.publish(event("tea"), event("salt"))
    await eventually(lambda: settled_with(shop, consumer, 2), within=20)
    assert await members(kafka_bootstrap, prefix + "shop") == 1
    await shop.stop(run)
    assert await members(kafka_bootstrap, prefix + "shop") == 0
    assert consumer.state == "ended"
    assert await committed(kafka_bootstrap, prefix + "shop") == 2


async def test_a_consumer_whose_handlers_are_broken_stops_and_says_so(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    shop.broken = {"poison"}
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    consumer = shop.consumer(kafka_bootstrap, prefix)
    run = shop.start(consumer.run())
    await shop.publish(*(event("poison", key=f"K{n}") for n in range(60)))
    await eventually(lambda: consumer.state == "stopped", within=20)
    assert not await consumer.settled()
    assert "mend the handler" in consumer.trouble
    assert len(await shop.parked()) <= 10
    await shop.stop(run)
    shop.broken = set()
    mended = shop.consumer(kafka_bootstrap, prefix)
    shop.start(mended.run())
    await eventually(mended.settled, within=20)
    await mended.replay_all()
    assert len(await shop.effects()) == 60


async def test_a_rewound_group_hears_again_what_was_written_since(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    consumer = shop.consumer(kafka_bootstrap, prefix)
    run = shop.start(consumer.run())
    await shop.publish(*(event(f"early {n}") for n in range(3)))
    await eventually(lambda: settled_with(shop, consumer, 3), within=20)
    moment = datetime.now(UTC) + timedelta(milliseconds=1)
    await shop.publish(event("late"))
    await eventually(lambda: settled_with(shop, consumer, 4), within=20)
    where = {"broker": Broker(kafka_bootstrap), "group": "shop", "topics": ["customers"], "prefix": prefix}
    with pytest.raises(GroupActive):
        await rewind(to=moment, **where)
    await shop.stop(run)
    await rewind(to=moment, **where)
    # As after a restore: the inbox and the effects are gone.
    await shop.pool.execute("truncate inbox")
    await shop.pool.execute("truncate effects")
    again = shop.consumer(kafka_bootstrap, prefix)
    shop.start(again.run())
    await eventually(lambda: settled_with(shop, again, 1), within=20)
    assert await shop.effects() == ["late"]


async def test_an_operator_sees_what_waits_and_what_is_parked(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    def sample(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"langganan_{name}", labels)

    shop.broken = {"poison"}
    consumer = shop.consumer(kafka_bootstrap, prefix, group="watched")
    await shop.publish(event("poison"), event("tea"), event("rice", key="BUDI"))
    shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
    shop.start(consumer.run())
    await eventually(lambda: sample("parked_events", group="watched", status="BEHIND") == 1)
    assert sample("parked_events", group="watched", status="POISONED") == 1
    assert sample("parked_customers", group="watched", status="POISONED") == 1
    assert sample("parked_total", group="watched", status="BEHIND") == 1
    assert sample("event_seconds_count", group="watched") == 3
    assert sample("consumer_up", group="watched") == 1
    assert sample("relay_leading", slice="0") == 1
    topic = prefix + "customers"
    await eventually(lambda: sample("consumer_lag_records", group="watched", topic=topic) == 0)
    await eventually(lambda: sample("outbox_depth") == 0)


async def test_topics_are_made_once_and_keep_their_partitions(kafka_bootstrap: str, prefix: str) -> None:
    broker, specs = Broker(kafka_bootstrap), topics.house(prefix, partitions=3, replication=1)
    assert sorted(await topics.ensure(broker, specs)) == [
        prefix + "credit",
        prefix + "notify",
    ]
    assert await topics.ensure(broker, specs) == []
    with pytest.raises(topics.WrongPartitions):
        await topics.ensure(broker, topics.house(prefix, partitions=6, replication=1))


async def test_a_consumer_that_cannot_reach_the_broker_is_not_settled(shop) -> None:
    consumer = shop.consumer("127.0.0.1:1", "nowhere.")
    run = shop.start(consumer.run())
    await eventually(lambda: consumer.state == "away")
    assert not await consumer.settled()
    await shop.stop(run)
    assert consumer.state == "ended"
