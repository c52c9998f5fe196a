"""Polls: what is taken from Kafka at once, evenly, and which of it may be applied side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

Polled: TypeAlias = Mapping[TopicPartition, Sequence[Any]]

LANES = 2  # transactions side by side: while one waits for Postgres the other one's events are worked on
ALONE = 200  # records that are not worth a second transaction


async def take(kafka: AIOKafkaConsumer, wait_ms: int, limit: int) -> Polled:
    """Poll up to `limit` records, waiting until there is one, and from every partition that has some.

    Kafka's client empties one partition before it looks at the next: of a backlog a poll would hold a few
    customers' events, many of each, and nothing that could be applied side by side.
    """
    share = max(1, limit // max(1, len(kafka.assignment())))
    polled: dict[TopicPartition, list[Any]] = {}
    polled.update(await kafka.getmany(timeout_ms=wait_ms, max_records=share))
    if size(polled) < share:
        return polled  # that was all
    for partition in kafka.assignment() - polled.keys():
        polled.update(await kafka.getmany(partition, timeout_ms=0, max_records=share))
    if (left := limit - size(polled)) > 0:
        for partition, more in (await kafka.getmany(timeout_ms=0, max_records=left)).items():
            polled.setdefault(partition, []).extend(more)
    return polled


def size(polled: Polled) -> int:
    """How many records a poll holds."""
    return sum(len(batch) for batch in polled.values())


def lanes(polled: Polled, at_most: int) -> list[list[list[Any]]]:
    """Cut a poll into lanes, for transactions side by side, each of them into parts for one after the other.

    A lane has all partitions of a number, whatever their topic, so all of a customer's events: their order is
    the lane's. `at_most`: records a part. A small poll stays whole.
    """
    numbers: dict[int, list[Any]] = {}
    for partition, batch in polled.items():
        numbers.setdefault(partition.partition, []).extend(batch)
    count = LANES if size(polled) > ALONE else 1
    found: list[list[Any]] = [[] for _ in range(count)]
    for records in sorted(numbers.values(), key=len, reverse=True):
        min(found, key=len).extend(records)
    return [
        [lane[start : start + at_most] for start in range(0, len(lane), at_most)] for lane in found if lane
    ]
