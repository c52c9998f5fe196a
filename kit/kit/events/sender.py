"""Sends rows of the outbox to Kafka, each partition in order, and says which arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from kit.broker import Broker
from kit.events.closing import CLOSE_SECONDS, close
from kit.events.envelope import Headers, headers

BATCH_BYTES = 950_000
REQUEST_MS = 10_000
START_SECONDS = 15.0
SEND_SECONDS = 8.0

_partition = DefaultPartitioner()  # murmur2 of the key, as every Kafka client does


class Sender:
    """An idempotent producer with acks from all replicas; after a failure a new one takes its place."""

    def __init__(self, broker: Broker, prefix: str) -> None:
        self._prefix = prefix
        self._failed = False
        self._producer = AIOKafkaProducer(
            **broker.options,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=1_048_576,
            request_timeout_ms=REQUEST_MS,
        )

    async def start(self) -> None:
        """Connect; raises KafkaError or TimeoutError while the broker is away."""
        async with asyncio.timeout(START_SECONDS):
            await self._producer.start()

    async def close(self) -> None:
        """Close the connections; what could not be sent is dropped here, and is still in the outbox."""
        if self._failed:
            await self._give_up()
        await close(self._producer.stop(), self._producer.client)

    async def _give_up(self) -> None:
        """End the retries: an idempotent producer of aiokafka repeats a send for ever, and has no abort."""
        task = self._producer._sender.sender_task
        if task is not None:
            task.cancel()
        await self._producer.client.close()
        if task is not None:
            await asyncio.wait([task], timeout=CLOSE_SECONDS)
        self._producer._message_accumulator.fail_all(KafkaError("given up; a new producer goes on"))

    async def send(self, rows: Sequence[Any]) -> tuple[list[int], Exception | None]:
        """Send rows in order; returns the ids that Kafka acknowledged and the first failure.

        Of a partition nothing is sent behind a batch before Kafka has acknowledged it, so that nothing
        behind a failed event can arrive before it.
        """
        try:
            groups = await self._group(rows)
        except (KafkaError, OSError, TimeoutError) as error:
            self._failed = True
            return [], error
        results = await asyncio.gather(
            *(self._send_partition(topic, number, group) for (topic, number), group in groups.items())
        )
        sent = [id_ for ids, _ in results for id_ in ids]
        failure = next((failure for _, failure in results if failure is not None), None)
        self._failed = failure is not None
        return sent, failure

    async def send_everywhere(self, topic: str, value: Callable[[int], bytes], lines: Headers) -> None:
        """Send one record to every partition of a topic, behind all that was sent before.

        `value` makes it from the number of partitions. Returns once all are acknowledged, else raises.
        """
        self._failed = True
        numbers = await self._partitions(self._prefix + topic)
        content = value(len(numbers))
        async with asyncio.timeout(SEND_SECONDS):
            await asyncio.gather(*(self._send_one(self._prefix + topic, n, content, lines) for n in numbers))
        self._failed = False

    async def _send_one(self, topic: str, partition: int, value: bytes, lines: Headers) -> None:
        batch = self._producer.create_batch()
        assert batch.append(timestamp=None, key=None, value=value, headers=lines) is not None
        batch.close()
        await (await self._producer.send_batch(batch, topic, partition=partition))

    async def _partitions(self, topic: str) -> list[int]:
        async with asyncio.timeout(REQUEST_MS / 1000):
            return sorted(await self._producer.partitions_for(topic))

    async def _group(self, rows: Sequence[Any]) -> dict[tuple[str, int], list[Any]]:
        partitions: dict[str, list[int]] = {}
        groups: dict[tuple[str, int], list[Any]] = {}
        for row in rows:
            topic = self._prefix + row["topic"]
            if topic not in partitions:
                partitions[topic] = await self._partitions(topic)
            known = partitions[topic]
            number = _partition(row["key"].encode(), known, known)
            groups.setdefault((topic, number), []).append(row)
        return groups

    async def _send_partition(
        self, topic: str, partition: int, rows: Sequence[Any]
    ) -> tuple[list[int], Exception | None]:
        sent: list[int] = []
        position = 0
        try:
            while position < len(rows):
                batch = self._producer.create_batch()
                first = position
                while position < len(rows) and _append(batch, rows[position]):
                    position += 1
                batch.close()
                async with asyncio.timeout(SEND_SECONDS):
                    acknowledged = await self._producer.send_batch(batch, topic, partition=partition)
                    await acknowledged
                sent.extend(row["id"] for row in rows[first:position])
        except (KafkaError, OSError, TimeoutError) as error:
            return sent, error
        return sent, None


def _append(batch: Any, row: Any) -> bool:
    """Add a row to a batch; False when the batch is full. The timestamp is the client's, never ours."""
    added = batch.append(
        timestamp=None,
        key=row["key"].encode(),
        value=row["payload"],
        headers=headers(
            id=row["event_id"],
            type=row["type"],
            topic=row["topic"],
            merchant_id=row["merchant_id"],
            time=row["time"],
            traceparent=row["traceparent"],
        ),
    )
    return added is not None
