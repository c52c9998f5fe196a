"""Rewind: sets a group's offsets to a record time, a step of every restore; the inbox drops what is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kit.broker import Broker
from kit.errors import FailedPrecondition


class GroupActive(FailedPrecondition):
    """Members of the group are at work, and would overwrite its offsets."""

    reason = "GROUP_ACTIVE"


async def rewind(
    broker: Broker, group: str, topics: Sequence[str], to: datetime, *, prefix: str = ""
) -> dict[TopicPartition, int]:
    """Let the group begin at the first record written at or after `to` (wall time); returns the offsets.

    A partition without such a record begins at its end. Raises GroupActive while the group has members.
    """
    if to.tzinfo is None:
        raise ValueError("the instant needs an offset, such as 2026-11-22T10:00:00+07:00")
    await _must_be_empty(broker, prefix + group)
    kafka = AIOKafkaConsumer(
        **broker.options,
        group_id=prefix + group,
        enable_auto_commit=False,
        request_timeout_ms=10_000,
    )
    try:
        await kafka.start()
        partitions: list[TopicPartition] = []
        for topic in topics:
            name = prefix + topic
            numbers = await kafka._client._wait_on_metadata(name)
            partitions.extend(TopicPartition(name, number) for number in sorted(numbers))
        kafka.assign(partitions)
        moment = int(to.timestamp() * 1000)
        found = await kafka.offsets_for_times(dict.fromkeys(partitions, moment))
        ends = await kafka.end_offsets(partitions)
        offsets = {p: found[p].offset if found.get(p) else ends[p] for p in partitions}
        await kafka.commit(offsets)
        return offsets
    finally:
        await kafka.stop()


async def _must_be_empty(broker: Broker, group: str) -> None:
    admin = AIOKafkaAdminClient(**broker.options, request_timeout_ms=10_000)
    try:
        await admin.start()
        for response in await admin.describe_consumer_groups([group]):
            for _, name, _, _, _, members, *_ in response.groups:
                if members:
                    raise GroupActive(
                        f"group {name} has {len(members)} members at work; stop the workers, then rewind",
                        group=group,
                    )
    finally:
        await admin.close()
