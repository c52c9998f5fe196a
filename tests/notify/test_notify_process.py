"""The real process between real brokers and relays: events in over Kafka, killed half-way, started again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from kit.broker import Broker
from kit.events import topics
from kit.events.envelope import as_record, event_type
from kit.testing.eventually import eventually
from langganan.events.v1 import notify_pb2


@asynccontextmanager
async def process(
    env: dict[str, str], log: Path, role: str = "all"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m notify ROLE` until left; killed if it has not ended by then."""
    with log.open("ab") as out:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notify", role, env={**os.environ, **env}, stdout=out, stderr=out
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def send(bootstrap: str, topic: str, event: Any) -> None:
    """Send one event as the relay of customers would."""
    record = as_record(event, topic, 0)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, record.value, record.key, headers=list(record.headers))
    finally:
        await producer.stop()


async def heard(bootstrap: str, topic: str, count: int) -> list[notify_pb2.MessageDelivered]:
    """Wait for `count` records of a topic and return them, and whatever came with them."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[notify_pb2.MessageDelivered] = []
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                polled = await consumer.getmany(timeout_ms=200)
                for records in polled.values():
                    said = [r for r in records if event_type(r) == "message-delivered"]
                    found += [notify_pb2.MessageDelivered.FromString(r.value) for r in said]
    finally:
        await consumer.stop()
    return found


async def test_a_killed_process_loses_no_message_and_says_delivered_once(
    new_database: Any, kafka_bootstrap: str, book: Any, sink: Any, purchase: Any, tmp_path: Path
) -> None:
    prefix = f"n{os.getpid()}-"
    await topics.ensure(Broker(kafka_bootstrap), topics.house(prefix, partitions=2, replication=1))
    env = {
        "NOTIFY_DATABASE_URL": await new_database("notify"),
        "NOTIFY_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "NOTIFY_TOPIC_PREFIX": prefix,
        "NOTIFY_CUSTOMERS_TARGET": book.target,
        "NOTIFY_CHANNELS": json.dumps({"email": sink.config()}),
        "NOTIFY_LEASE_S": "1",
    }
    log = tmp_path / "log"
    customer_id = book.add(name="Siti Rahayu", address="siti@example.com")
    sale = purchase(customer_id, datetime.now(UTC))

    sink.answers.clear()
    async with process(env, log) as first:
        await send(kafka_bootstrap, f"{prefix}customers", sale)
        await eventually(lambda: sink.taken, within=60)
        first.kill()
        await first.wait()
    sink.answers.set()

    async with process(env, log) as second:
        await eventually(lambda: len(sink.taken) == 2, within=60)
        said = await heard(kafka_bootstrap, f"{prefix}notify", 1)
        assert psutil.Process(second.pid).memory_info().rss < 180e6
        second.send_signal(signal.SIGTERM)
        assert await second.wait() == 0
    assert [m.cause for m in said] == [sale.payload.purchase_id]
    assert len({mail["Message-ID"] for _, mail in sink.taken}) == 1
    assert "siti@example.com" not in log.read_text()
    assert "Siti" not in log.read_text()
