"""The relay against the real broker: what is in the outbox goes out, whoever dies, in order."""

from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import DefaultPartitioner
from prometheus_client import REGISTRY

from kit.broker import Broker
from kit.events import Outgoing, Relay
from kit.testing import eventually

Event = Callable[..., Outgoing]


async def wire_log(bootstrap: str, topic: str) -> list[tuple[str, str]]:
    """(key, ce_id) of all records of a topic, in order for each partition."""
    kafka = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await kafka.start()
    try:
        ends = await kafka.end_offsets(kafka.assignment())
        found = []
        while any([await kafka.position(p) < end for p, end in ends.items()]):
            for batch in (await kafka.getmany(timeout_ms=200)).values():
                found += [(r.key.decode(), dict(r.headers)["ce_id"].decode()) for r in batch]
        return found
    finally:
        await kafka.stop()


def key_of_partition(number: int, partitions: int = 3) -> str:
    """A key that murmur2 puts into this partition."""
    numbers = list(range(partitions))
    return next(
        k for k in map(str, range(1000)) if DefaultPartitioner()(k.encode(), numbers, numbers) == number
    )


async def settled_with(shop, consumer, count: int) -> bool:
    return await consumer.settled() and len(await shop.effects()) == count


async def test_a_relay_that_dies_between_send_and_delete_repeats_without_effect(
    shop, event: Event, kafka_bootstrap: str, prefix: str, backend_of
) -> None:
    consumer = shop.consumer(kafka_bootstrap, prefix)
    sent = [event(f"tea {n}", key=f"K{n % 3}") for n in range(30)]
    async with shop.pool.acquire() as holder:
        async with holder.transaction():
            await shop.publish(*sent)
            # Held rows can be read and sent, but not deleted.
            await holder.execute("select 1 from outbox for update")
            shop.start(Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix).run())
            await eventually(lambda: deleting(shop))
            pid = await backend_of(shop.url, "relay")
            await shop.pool.execute("select pg_terminate_backend($1)", pid)
        await eventually(lambda: waits_for(shop, []))
    wire = await wire_log(kafka_bootstrap, prefix + "customers")
    assert len(wire) >= 60, "the events went out twice"
    shop.start(consumer.run())
    await eventually(lambda: settled_with(shop, consumer, 30), within=20)
    for k in range(3):
        assert await shop.effects(f"K{k}") == [f"tea {n}" for n in range(30) if n % 3 == k]


async def deleting(shop) -> bool:
    """Whether a relay waits for a lock; asked outside of transactions, which would see one snapshot only."""
    return bool(
        await shop.pool.fetchval(
            "select count(*) from pg_stat_activity where application_name = 'relay' "
            "and wait_event_type = 'Lock' and datname = current_database()"
        )
    )


async def test_nothing_behind_a_failed_event_of_its_partition_is_forgotten(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    await set_max_message(kafka_bootstrap, prefix + "customers", 3_000)
    relay = Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix)
    held, free = key_of_partition(0), key_of_partition(1)
    large = "x" * 5_000
    await shop.publish(event(large, key=held), event("behind", key=held), event("elsewhere", key=free))
    shop.start(relay.run())
    await eventually(lambda: waits_for(shop, [large, "behind"]))
    await eventually(lambda: not relay.healthy)
    await shop.publish(event("later", key=held))
    await set_max_message(kafka_bootstrap, prefix + "customers", 1_048_588)
    await eventually(lambda: waits_for(shop, []), within=20)
    assert relay.healthy
    consumer = shop.consumer(kafka_bootstrap, prefix)
    shop.start(consumer.run())
    await eventually(lambda: settled_with(shop, consumer, 4), within=20)
    assert await shop.effects(held) == [large, "behind", "later"]


async def waits_for(shop, expected: list[str]) -> bool:
    return await shop.waiting() == expected


async def set_max_message(bootstrap: str, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})]
        )
    finally:
        await admin.close()


async def test_a_second_relay_waits_and_takes_over_when_the_firsts_connection_dies(
    shop, event: Event, kafka_bootstrap: str, prefix: str, wire
) -> None:
    first = Relay(dsn=wire.url, broker=Broker(kafka_bootstrap), prefix=prefix)
    second = Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix)
    shop.start(first.run())
    await eventually(lambda: first.leading)
    shop.start(second.run())
    await eventually(lambda: second.healthy)
    await shop.publish(event("tea"))
    await eventually(lambda: waits_for(shop, []))
    assert not second.leading
    await wire.cut()
    await shop.publish(event("salt"))
    await eventually(lambda: second.leading)
    await eventually(lambda: waits_for(shop, []))
    await eventually(lambda: not first.leading)
    assert not first.healthy


async def test_slices_share_the_outbox_and_keep_each_customers_order(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    await shop.publish(*(event(f"{n}", key=f"K{n % 8}") for n in range(400)))
    relay = Relay(dsn=shop.url, broker=Broker(kafka_bootstrap), prefix=prefix, slices=3)
    consumer = shop.consumer(kafka_bootstrap, prefix)
    shop.start(relay.run())
    shop.start(consumer.run())
    await eventually(lambda: settled_with(shop, consumer, 400), within=20)
    assert relay.healthy
    for k in range(8):
        assert await shop.effects(f"K{k}") == [str(n) for n in range(400) if n % 8 == k]


async def test_a_relay_that_cannot_reach_the_broker_keeps_the_events_and_goes_on(shop, event: Event) -> None:
    relay = Relay(dsn=shop.url, broker=Broker("127.0.0.1:1"))
    shop.start(relay.run())
    await shop.publish(event("tea"))
    name, labels = "langganan_relay_failures_total", {"away": "kafka"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    await eventually(lambda: (REGISTRY.get_sample_value(name, labels) or 0) >= before + 2)
    assert relay.leading
    assert not relay.healthy
    assert await shop.waiting() == ["tea"]


async def test_a_relay_that_loses_the_database_while_the_broker_is_away_goes_on(
    shop, event: Event, backend_of
) -> None:
    relay = Relay(dsn=shop.url, broker=Broker("127.0.0.1:1"))
    running = shop.start(relay.run())
    await shop.publish(event("tea"))
    name, labels = "langganan_relay_failures_total", {"away": "postgres"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    await eventually(lambda: relay.leading)
    await shop.pool.execute("select pg_terminate_backend($1)", await backend_of(shop.url, "relay"))
    await eventually(lambda: running.done() or (REGISTRY.get_sample_value(name, labels) or 0) > before)
    await eventually(lambda: running.done() or relay.leading)
    assert not running.done()
