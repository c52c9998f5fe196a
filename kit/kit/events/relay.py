"""The relay: sends the outbox to Kafka in id order, deletes what Kafka acknowledged, and tells progress.

A crash in between sends some events twice, never none and never out of a customer's order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from kit import db, ending, failpoints, metrics
from kit.broker import Broker
from kit.events.outbox import COUNTED_AT_MOST
from kit.events.progress import Speaker
from kit.events.sender import Sender

log = structlog.get_logger(__name__)
_queries = db.load(__file__)

LOCK_NAMESPACE = 0x6F757462  # "outb"
MAX_ROWS = 1_000
MAX_BYTES = 4_000_000
POLL_SECONDS = (0.05, 0.1)  # after work, so that events gather; idle
LEAD_SECONDS = 0.5
BACKOFF_SECONDS = (0.1, 5.0)
MEASURE_SECONDS = 2.0


class Relay:
    """Empties one service's outbox; of many relays on one database, one a slice is at work.

    `dsn` goes straight to Postgres: the lock is the session's, so a pooler in transaction mode breaks it.
    Whoever leads slice 0 lets `speaker` tell progress for all of them.
    """

    def __init__(
        self, *, dsn: str, broker: Broker, prefix: str = "", slices: int = 1, speaker: Speaker | None = None
    ) -> None:
        self._speaker = speaker
        self._slices = [
            _Slice(dsn, broker, prefix, number, slices, None if number else speaker)
            for number in range(slices)
        ]

    @property
    def healthy(self) -> bool:
        """Whether every slice reaches the database, and the broker when it leads."""
        return all(one.healthy for one in self._slices)

    @property
    def leading(self) -> bool:
        """Whether this process sends any slice."""
        return any(one.leading for one in self._slices)

    @property
    def sent(self) -> int:
        """How many events this process has sent; a driver sees by it that nothing moved between two looks."""
        return sum(one.sent for one in self._slices)

    @property
    def silent(self) -> bool:
        """Whether this process has progress to tell that somebody may wait for."""
        return self._speaker is not None and self._slices[0].leading and self._speaker.behind

    def hurry(self) -> None:
        """Look at the outbox now and tell progress, for somebody waits for it."""
        if self._speaker is not None:
            self._speaker.hurry()
        for one in self._slices:
            one.hurried.set()

    async def run(self) -> None:
        """Relay until cancelled; what is being sent is finished and deleted first."""
        async with asyncio.TaskGroup() as group:
            for one in self._slices:
                group.create_task(one.run())


class _Slice:
    def __init__(
        self, dsn: str, broker: Broker, prefix: str, number: int, slices: int, speaker: Speaker | None
    ) -> None:
        self._dsn = dsn
        self._broker = broker
        self._prefix = prefix
        self._number = number
        self._count = slices
        self._speaker = speaker
        self._failures = 0
        self._measured_at = 0.0
        self.sent = 0
        self.hurried = asyncio.Event()
        self.healthy = False
        self.leading = False

    async def run(self) -> None:
        while not ending.told():
            try:
                async with _session(self._dsn) as conn:
                    await self._lead(conn)
                    await self._relay(conn)
            except (*db.LOST, asyncpg.PostgresError) as error:
                self.healthy = False
                metrics.RELAY_FAILURES.labels("postgres").inc()
                log.warning("relay_without_database", error=type(error).__name__)
                await self._back_off()
            finally:
                self.leading = False
                # Whoever leads now measures the outbox; what we saw last would be shown for ever.
                metrics.OUTBOX_DEPTH.set(0)
                metrics.OUTBOX_AGE.set(0)
                metrics.RELAY_LEADING.labels(str(self._number)).set(0)

    async def _lead(self, conn: asyncpg.Connection[asyncpg.Record]) -> None:
        """Wait until no other session relays this slice."""
        while not await _queries.lead_slice(conn, namespace=LOCK_NAMESPACE, slice=self._number):
            self.healthy = True
            await asyncio.sleep(LEAD_SECONDS)
        self.leading = True
        metrics.RELAY_LEADING.labels(str(self._number)).set(1)

    async def _relay(self, conn: asyncpg.Connection[asyncpg.Record]) -> None:
        """Send until something fails; a failed send gets a new producer and starts at the lowest id again."""
        while True:
            sender = Sender(self._broker, self._prefix)
            try:
                await sender.start()
                if self._speaker is not None:
                    self._speaker.lead()
                await self._drain(conn, sender)
            except (KafkaError, OSError, TimeoutError) as error:
                if conn.is_closed():
                    raise ConnectionResetError("the database is away as well") from error
                self.healthy = False
                metrics.RELAY_FAILURES.labels("kafka").inc()
                log.warning("relay_without_broker", error=type(error).__name__, why=str(error))
            finally:
                await sender.close()
            await self._measure(conn)
            await self._back_off()

    async def _drain(self, conn: asyncpg.Connection[asyncpg.Record], sender: Sender) -> None:
        least, most = POLL_SECONDS
        wait = least
        while True:
            rows = [
                row
                async for row in _queries.read_outbox(
                    conn, slices=self._count, slice=self._number, max_rows=MAX_ROWS, max_bytes=MAX_BYTES
                )
            ]
            if rows:
                await _to_the_end(self._send(conn, sender, rows))
            if self._speaker is not None:
                await self._speaker.step(conn, sender)
            self.healthy = True
            self._failures = 0
            if asyncio.get_running_loop().time() - self._measured_at > MEASURE_SECONDS:
                await self._measure(conn)
            wait = least if rows or (self._speaker and self._speaker.behind) else min(most, wait * 1.5)
            if len(rows) < MAX_ROWS:
                await self._rest(wait)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurried.wait()
        self.hurried.clear()

    async def _send(
        self, conn: asyncpg.Connection[asyncpg.Record], sender: Sender, rows: Sequence[Any]
    ) -> None:
        """Send a page; delete what arrived, then raise if something did not."""
        sent, failure = await sender.send(rows)
        self.sent += len(sent)  # before the outbox is seen empty
        failpoints.hit("relay-sent")
        if sent:
            await _queries.delete_outbox(conn, ids=sent)
            metrics.RELAY_SENT.labels(str(self._number)).inc(len(sent))
        if failure is not None:
            raise failure

    async def _measure(self, conn: asyncpg.Connection[asyncpg.Record]) -> None:
        row = await _queries.outbox_backlog(conn, limit=COUNTED_AT_MOST)
        metrics.OUTBOX_DEPTH.set(row["depth"])
        metrics.OUTBOX_AGE.set(row["age"])
        self._measured_at = asyncio.get_running_loop().time()

    async def _back_off(self) -> None:
        least, most = BACKOFF_SECONDS
        await asyncio.sleep(min(most, least * 2 ** min(self._failures, 10)))
        self._failures += 1


@contextlib.asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A direct connection that holds the lock and does all of the relay's work, so both end together."""
    conn = await asyncpg.connect(
        dsn,
        timeout=5,
        command_timeout=15,
        server_settings={
            "application_name": "relay",
            "lock_timeout": "5s",
            # A lost delete only repeats events; nothing waits for the disk.
            "synchronous_commit": "off",
            # A table that is empty most of the time has statistics that say so; always take the id's index.
            "enable_seqscan": "off",
            "enable_bitmapscan": "off",
            "jit": "off",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )
    try:
        yield conn
    finally:
        try:
            await conn.close(timeout=2)
        except (*db.LOST, asyncpg.PostgresError):
            conn.terminate()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await a send to its end also when we are cancelled meanwhile, so that it is not repeated."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=10)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that it is not reported as lost: the rows are still there
        raise
