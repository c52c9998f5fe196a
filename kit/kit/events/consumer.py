"""The consumer: polls Kafka, applies each poll in one transaction, commits offsets behind it.

While the database is away the partitions are paused, polling goes on and the place is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from kit import db, ending, failpoints, metrics
from kit.broker import Broker
from kit.db import Pool
from kit.events import heard, membership, polls, progress, replay, trouble
from kit.events.apply import Applier
from kit.events.envelope import Envelope, Record, event_type, open_record
from kit.events.handlers import Handler, Lock, no_lock
from kit.events.monitor import Monitor
from kit.events.polls import Polled
from kit.events.replay import Replayed

log = structlog.get_logger(__name__)

POLL_MS = 200
# From poll to poll at least, unless more is waiting: events gather, and five cost little more than one.
APART_SECONDS = 0.05
COMMIT_SECONDS = 0.25  # offsets may lag behind effects; the inbox knows what comes again
BACKOFF_SECONDS = (0.1, 5.0)
LEAVE_SECONDS = 10.0
LAST_COMMIT_SECONDS = 2.0
State = Literal["starting", "running", "away", "stopped", "ended"]


class Consumer:
    """One member of a consumer group that applies what it hears to one database.

    `topics` without prefix. `lock(conn, events)` is called once a transaction before all handlers: it
    opens the missing accounts and locks all that the events name, in (merchant, customer) order.
    `max_records`: of one transaction.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        group: str,
        broker: Broker,
        topics: Sequence[str],
        handlers: Mapping[str, Handler],
        lock: Lock = no_lock,
        prefix: str = "",
        max_records: int = 500,
    ) -> None:
        self.group, self.topics = group, tuple(topics)
        self._pool = pool
        self._group = group
        self._broker = broker
        self._topics = [prefix + topic for topic in topics]
        self._prefix = prefix
        self._handlers = handlers
        self._lock = lock
        self._applier = Applier(pool, group, handlers, lock)
        self._monitor = Monitor(pool, group)
        self._max_records = max_records
        self._limit = max_records  # halved while polls fail, for the poll itself may be too long
        self._failures = 0
        self._in_flight = False
        self._kafka: AIOKafkaConsumer | None = None
        self._presence = membership.Presence()
        self._ends: membership.Ends | None = None
        self._uncommitted: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._why = ""
        self.state: State = "starting"

    @property
    def trouble(self) -> str:
        """Why events are not being applied; empty: they are."""
        if self.healthy:
            return ""
        return (
            "the broker does not answer" if self.state == "running" else f"{self.state} {self._why}".strip()
        )

    @property
    def healthy(self) -> bool:
        """Whether events are being applied; False while away or stopped."""
        return self.state == "running" and self._monitor.broker_answers

    async def process(self, records: Sequence[Record]) -> None:
        """Apply records once, in order for each customer; types without a handler are passed over.

        Raises TooManyPoisoned, or what says that the database cannot at present; nothing is half applied.
        """
        known: list[Envelope] = []
        told: list[Record] = []
        for record in records:
            kind = event_type(record)
            if kind in self._handlers:
                known.append(open_record(record, self._prefix))
            elif kind == progress.TYPE:
                told.append(record)
        if known or told:
            await self._applier.apply(known, heard.furthest(told, self._prefix))

    async def run(self) -> None:
        """Consume until cancelled; a poll in flight is finished and committed, then the group is left."""
        try:
            await self._run()
        finally:
            self._enter("ended")

    async def _run(self) -> None:
        failures = 0
        while not ending.told():
            try:
                await self._monitor.prepare()
                await self._belong()
            except trouble.TooManyPoisoned as error:
                self._enter("stopped", str(error))
                log.error("consumer_stopped", group=self._group, why=str(error))
                await asyncio.Event().wait()  # until the process ends; a restart would only poison more
            except (KafkaError, *db.LOST, *trouble.AGAIN, *trouble.UNABLE) as error:
                if self.state == "running":
                    failures = 0
                self._enter("away", type(error).__name__)
                log.warning("consumer_away", group=self._group, error=type(error).__name__, why=str(error))
                await asyncio.sleep(_backoff(failures))
                failures += 1

    async def settled(self) -> bool:
        """Whether all that is in Kafka now has been applied, nothing is in flight or due for another try."""
        kafka, ends = self._kafka, self._ends
        if kafka is None or ends is None or not self.healthy or self._in_flight or not self._presence.joined:
            return False
        try:
            lag = await ends.lag(kafka)
            waiting = await self._monitor.not_yet_hoped_for()
        except (KafkaError, *db.LOST):
            return False
        return not (any(lag.values()) or waiting or self._in_flight) and self.healthy

    async def list_parked(self, limit: int = 200) -> list[dict[str, Any]]:
        """What is parked, by customer, oldest first."""
        return await replay.list_parked(self._pool, limit)

    async def replay(self, merchant_id: str, key: str) -> Replayed:
        """Apply one customer's parked events in order, in one transaction."""
        return await replay.replay(self._pool, self._handlers, self._lock, merchant_id, key)

    async def replay_all(self, limit: int = 10_000) -> Replayed:
        """Apply all customers' parked events, each customer in a transaction of their own."""
        total = Replayed()
        for merchant_id, key in await replay.customers(self._pool, limit):
            total += await self.replay(merchant_id, key)
        return total

    async def retry_not_yet(self) -> int:
        """Try the NOT_YET events that are due, 200 customers at most; returns how many were applied."""
        applied = 0
        for merchant_id, key in await replay.due_not_yet(self._pool):
            done = await replay.replay(
                self._pool, self._handlers, self._lock, merchant_id, key, poisoned=False
            )
            applied += done.applied
        return applied

    def _enter(self, state: State, why: str = "") -> None:
        self.state, self._why = state, why
        metrics.CONSUMER_UP.labels(self._group).set(state == "running")

    async def _belong(self) -> None:
        """Join the group and work in it; whatever ends that, leave it."""
        self._presence = membership.Presence()
        ends = membership.Ends(self._broker)
        self._ends = ends
        self._uncommitted = {}
        kafka = membership.client(self._broker, self._prefix + self._group)
        kafka.subscribe(self._topics, listener=self._presence)
        watch: asyncio.Task[None] | None = None
        try:
            await kafka.start()
            await ends.start()
            self._kafka = kafka
            self._enter("running")
            watching = self._monitor.watch(lambda: ends.lag(kafka), lambda: self._in_flight)
            watch = asyncio.create_task(watching)
            await self._rounds(kafka)
        finally:
            self._kafka = None
            await self._last_commit(kafka)
            if watch is not None:
                watch.cancel()
                await asyncio.wait([watch])
            try:
                await membership.leave(kafka)
            finally:
                await ends.stop()

    async def _rounds(self, kafka: AIOKafkaConsumer) -> None:
        polled_at = 0.0
        while not ending.told():
            # After a pause an event is taken at once; in a stream of them polls are this far apart.
            await asyncio.sleep(max(0.0, polled_at + APART_SECONDS - time.monotonic()))
            limit = self._limit * polls.LANES
            polled = await polls.take(kafka, POLL_MS, limit)
            if not polled:
                await self._commit(kafka)
                continue
            if polls.size(polled) < limit and any(_events(polled)):
                polled_at = time.monotonic()
            self._in_flight = True
            self._monitor.begin(polled)
            try:
                await self._finish(kafka, polled)
            except trouble.TooManyPoisoned:
                raise
            except Exception as error:  # noqa: BLE001  the poll is kept and taken again, whatever it was
                log.warning("poll_put_back", group=self._group, error=type(error).__name__, why=str(error))
                await self._put_back(kafka, polled, type(error).__name__)
            finally:
                self._in_flight = False

    async def _finish(self, kafka: AIOKafkaConsumer, polled: Polled) -> None:
        """Apply a poll to its end, also when we are told to end meanwhile."""
        task = asyncio.create_task(self._round(polled))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=LEAVE_SECONDS)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            if task.done() and not task.cancelled():
                task.exception()  # looked at: the poll stays in Kafka, for whoever comes next
            raise
        if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            await self._commit(kafka)

    async def _round(self, polled: Polled) -> None:
        lanes = polls.lanes(polled, self._limit)
        # All come to their end before a failure is told: what is put back is in nobody's hand.
        ends = await asyncio.gather(*(self._in_turn(parts) for parts in lanes), return_exceptions=True)
        failures = [end for end in ends if end is not None]
        if failures:
            raise next((f for f in failures if isinstance(f, trouble.TooManyPoisoned)), failures[0])
        if events := list(_events(polled)):
            failpoints.hit("consumer-applied")
            metrics.POLL_SIZE.labels(self._group).observe(len(events))
            self._monitor.applied(events)
        for partition, batch in polled.items():
            self._uncommitted[partition] = batch[-1].offset + 1
        self._failures = 0
        self._limit = min(self._max_records, self._limit * 2)

    async def _in_turn(self, parts: Sequence[Sequence[Record]]) -> None:
        for records in parts:
            await self.process(records)

    async def _commit(self, kafka: AIOKafkaConsumer) -> None:
        """Commit the offsets of what has been applied; whoever has the partition now may repeat some."""
        assigned = kafka.assignment()
        offsets = {partition: o for partition, o in self._uncommitted.items() if partition in assigned}
        self._uncommitted = {}
        self._committed_at = time.monotonic()
        if not offsets:
            return
        try:
            await kafka.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit_lost_to_rebalance", group=self._group, why=str(error))

    async def _last_commit(self, kafka: AIOKafkaConsumer) -> None:
        """Commit what is left; the broker may be why we leave, so it is not waited for long."""
        try:
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await self._commit(kafka)
        except (KafkaError, TimeoutError) as error:
            log.info("last_commit_lost", group=self._group, error=type(error).__name__)

    async def _put_back(self, kafka: AIOKafkaConsumer, polled: Polled, why: str) -> None:
        """Keep the place, pause, and poll on until the database answers."""
        self._enter("away", why)
        _seek_back(kafka, polled)
        delay = _backoff(self._failures)
        self._failures += 1
        self._limit = max(1, self._limit // 2)
        while not ending.told():
            kafka.pause(*kafka.assignment())
            # Polling keeps our membership; a rebalance may bring partitions that are not paused yet.
            began = time.monotonic()
            _seek_back(kafka, await kafka.getmany(timeout_ms=int(delay * 1000)))
            await asyncio.sleep(max(0.0, delay - (time.monotonic() - began)))
            if await self._monitor.database_answers():
                break
            delay = min(delay * 2, 1.0)
        kafka.resume(*kafka.paused())
        self._enter("running")


def _events(polled: Polled) -> Iterator[Record]:
    """The records of a poll that tell of somebody; progress is neither waited for nor measured."""
    return (r for batch in polled.values() for r in batch if event_type(r) != progress.TYPE)


def _backoff(failures: int) -> float:
    least, most = BACKOFF_SECONDS
    return float(min(most, least * 2 ** min(failures, 10)))


def _seek_back(kafka: AIOKafkaConsumer, polled: Polled) -> None:
    for partition, batch in polled.items():
        with contextlib.suppress(IllegalStateError):  # taken from us meanwhile: its next owner starts there
            kafka.seek(partition, batch[0].offset)
