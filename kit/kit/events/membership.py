"""Membership in a consumer group: the client as the rules want it, presence, lag, and leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from kit.broker import Broker
from kit.events.closing import close

ANSWER_SECONDS = 5.0


class Presence(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Knows whether the group has given us our partitions (which may be none)."""

    def __init__(self) -> None:
        self.joined = False

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """A rebalance began."""
        self.joined = False

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A rebalance ended."""
        self.joined = True


def client(broker: Broker, group: str) -> AIOKafkaConsumer:
    """A member that commits by itself never, starts at the earliest, and is missed after 6 s."""
    return AIOKafkaConsumer(
        **broker.options,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=120_000,
        rebalance_timeout_ms=10_000,
        request_timeout_ms=20_000,
        fetch_max_wait_ms=500,
        fetch_max_bytes=8_000_000,
        max_partition_fetch_bytes=1_100_000,
    )


class Ends:
    """Knows where the partitions end, over a connection of its own: on the consumer's the question would
    wait behind the long poll, half a second.
    """

    def __init__(self, broker: Broker) -> None:
        self._kafka = AIOKafkaConsumer(**broker.options, request_timeout_ms=10_000)

    async def start(self) -> None:
        """Connect; raises KafkaError."""
        await self._kafka.start()

    async def lag(self, kafka: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Records that wait for `kafka`, by assigned partition, as the broker sees it now."""
        assigned = list(kafka.assignment())
        if not assigned:
            return {}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                ends = await self._kafka.end_offsets(assigned)
                return {p: max(0, end - await kafka.position(p)) for p, end in ends.items()}
        except TimeoutError as error:
            raise KafkaError("the broker did not say how long its partitions are") from error

    async def stop(self) -> None:
        """Disconnect."""
        await close(self._kafka.stop(), self._kafka._client)


async def leave(kafka: AIOKafkaConsumer) -> None:
    """Leave the group, so that others take over at once; a broker that is away is not waited for."""
    await close(kafka.stop(), kafka._client)
