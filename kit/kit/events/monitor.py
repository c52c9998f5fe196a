"""What a consumer tells about itself, and the upkeep of its inbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from kit import db, ending, metrics
from kit.db import Pool
from kit.events import inbox, trouble
from kit.events.envelope import Record

log = structlog.get_logger(__name__)
_queries = db.load(__file__)

Lag = Callable[[], Awaitable[Mapping[TopicPartition, int]]]
EVERY_SECONDS = 2.0
UPKEEP_SECONDS = 3600.0
HOPED_FOR_ATTEMPTS = 5


class Monitor:
    """Lag, age and parked events of one consumer."""

    def __init__(self, pool: Pool, group: str) -> None:
        self._pool = pool
        self._group = group
        self._head_ms: int | None = None  # when the oldest record in hand was written
        self._kept_at = 0.0
        self._topics: set[str] = set()  # whose lag is shown
        self.broker_answers = True

    async def prepare(self) -> None:
        """Make the inbox's partitions ahead and drop the old ones, at most once an hour."""
        if self._kept_at and time.monotonic() - self._kept_at < UPKEEP_SECONDS:
            return
        async with db.transaction(self._pool) as conn:
            await inbox.maintain(conn)
        self._kept_at = time.monotonic()

    async def database_answers(self) -> bool:
        """Whether a statement comes through."""
        try:
            async with asyncio.timeout(5), self._pool.acquire() as conn:
                await conn.execute("select 1")
        except (*db.LOST, *trouble.UNABLE):
            return False
        return True

    async def not_yet_hoped_for(self) -> bool:
        """Whether a NOT_YET event is parked that has been tried a few times only."""
        async with self._pool.acquire(timeout=5) as conn:
            return bool(await _queries.not_yet_hoped_for(conn, attempts=HOPED_FOR_ATTEMPTS))

    def begin(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """A poll is in hand."""
        self._head_ms = min(batch[0].timestamp for batch in polled.values())

    def applied(self, records: Sequence[Record]) -> None:
        """A poll has been applied."""
        now = time.time()
        seconds = metrics.EVENT_SECONDS.labels(self._group)
        for record in records:
            seconds.observe(max(0.0, now - record.timestamp / 1000))

    async def watch(self, lag: Lag, in_flight: Callable[[], bool]) -> None:
        """Measure every two seconds until cancelled; then whoever has the partitions does."""
        try:
            await self._watch(lag, in_flight)
        finally:
            self._show({}, 0.0)

    async def _watch(self, lag: Lag, in_flight: Callable[[], bool]) -> None:
        while not ending.told():
            try:
                await self._measure(lag, in_flight)
                await self.prepare()
            except KafkaError as error:
                self._hear(False)
                log.warning("broker_away", group=self._group, error=type(error).__name__)
            except Exception as error:  # noqa: BLE001  whatever it is, measuring goes on
                log.warning("consumer_not_measured", group=self._group, error=type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    def _hear(self, answers: bool) -> None:
        if answers != self.broker_answers:
            metrics.CONSUMER_UP.labels(self._group).set(answers)
        self.broker_answers = answers

    def _show(self, by_topic: Mapping[str, int], age: float) -> None:
        """Show what waits; what others have taken over would else be shown for ever, and counted twice."""
        self._topics |= by_topic.keys()
        for topic in self._topics:
            metrics.CONSUMER_LAG.labels(self._group, topic).set(by_topic.get(topic, 0))
        metrics.CONSUMER_LAG_SECONDS.labels(self._group).set(age)

    async def _measure(self, lag: Lag, in_flight: Callable[[], bool]) -> None:
        by_topic: dict[str, int] = {}
        for partition, waiting in (await lag()).items():
            by_topic[partition.topic] = by_topic.get(partition.topic, 0) + waiting
        self._hear(True)
        behind = in_flight() or any(by_topic.values())
        age = time.time() - self._head_ms / 1000 if behind and self._head_ms is not None else 0.0
        self._show(by_topic, max(0.0, age))
        async with self._pool.acquire(timeout=5) as conn:
            counts = {row["status"]: row async for row in _queries.parked_counts(conn)}
        for status in ("POISONED", "NOT_YET", "BEHIND"):
            row = counts.get(status)
            metrics.PARKED_EVENTS.labels(self._group, status).set(row["events"] if row else 0)
            metrics.PARKED_CUSTOMERS.labels(self._group, status).set(row["customers"] if row else 0)
