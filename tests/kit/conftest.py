"""A little service for the tests of events: accounts, an append-only list of effects, and handlers that obey.

The payload of a test event is a StringValue, and says what the handler is to do: see `Shop.apply`.
"""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from kit.broker import Broker
from kit.db import Conn, Pool, create_pool
from kit.events import Consumer, Handler, NotYet, Outgoing, Received, publish, topics
from kit.events.envelope import as_record
from kit.testing import eventually
from tests.kit.items import gateway  # noqa: F401  a fixture of this folder
from tests.kit.tiny import bare_database, idle_tiny, tiny  # noqa: F401  fixtures of this folder

TABLES = """
create table accounts (merchant_id text, key text, primary key (merchant_id, key));
create table effects (id bigint generated always as identity, merchant_id text, key text, what text);
create table facts (what text primary key);
"""


class Shop:
    """A database with a consumer's handlers, and what a test does to it."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.pool, self.url = pool, url
        self.calls: list[tuple[str, int]] = []  # every call of a handler: event type, how many events
        self.broken: set[str] = set()  # what makes a handler raise
        self.tasks: list[asyncio.Task[None]] = []
        self._offsets = itertools.count()

    async def lock(self, conn: Conn, events: list[Received]) -> None:
        """Open and lock the accounts, in order."""
        who = sorted({(e.merchant_id, e.key) for e in events})
        merchants, keys = [m for m, _ in who], [k for _, k in who]
        await conn.execute(
            "insert into accounts (merchant_id, key) select * from unnest($1::text[], $2::text[]) "
            "on conflict do nothing",
            merchants,
            keys,
        )
        await conn.execute(
            "select 1 from accounts where (merchant_id, key) in "
            "(select * from unnest($1::text[], $2::text[])) order by merchant_id, key for no key update",
            merchants,
            keys,
        )

    async def apply(self, conn: Conn, events: list[Received]) -> list[Exception | None]:
        """Write an effect an event; `needs X` waits for the fact X, `return X` refuses without raising."""
        self.calls.append((events[0].type, len(events)))
        refusals: list[Exception | None] = []
        for event in events:
            what = event.payload.value
            if what in self.broken:
                raise ValueError(f"cannot apply {what}; ask budi@example.com")
            verb, _, rest = what.partition(" ")
            if verb == "return":
                refusals.append(NotYet(rest))
                continue
            if verb == "needs" and not await conn.fetchval("select 1 from facts where what = $1", rest):
                raise NotYet(f"{rest} is not known")
            if verb == "fact":
                await conn.execute("insert into facts values ($1)", rest)
            await conn.execute(
                "insert into effects (merchant_id, key, what) values ($1, $2, $3)",
                event.merchant_id,
                event.key,
                what,
            )
            refusals.append(None)
        return refusals

    def consumer(self, bootstrap: str = "", prefix: str = "", **changes: Any) -> Consumer:
        """A consumer of this database."""
        known: dict[str, Any] = {
            "pool": self.pool,
            "group": "shop",
            "broker": Broker(bootstrap),
            "topics": ["customers", "loyalty"],
            "handlers": {name: Handler(StringValue, self.apply) for name in ("bought", "returned")},
            "lock": self.lock,
            "prefix": prefix,
        }
        return Consumer(**{**known, **changes})

    async def deliver(self, *events: Outgoing, to: Consumer | None = None, topic: str = "customers") -> None:
        """One poll with these events, by the code that a broker's poll takes."""
        records = [as_record(event, topic, next(self._offsets)) for event in events]
        await (to or self.consumer()).process(records)

    async def publish(self, *events: Outgoing, topic: str = "customers") -> None:
        """Write events to the outbox, in a transaction of their own."""
        async with self.pool.acquire() as conn, conn.transaction():
            await publish(conn, topic, events)

    async def effects(self, key: str | None = None) -> list[str]:
        """What has been done, of one customer or of all, in order."""
        rows = await self.pool.fetch("select key, what from effects order by id")
        return [row["what"] for row in rows if key in (None, row["key"])]

    async def parked(self, key: str | None = None) -> list[tuple[str, str]]:
        """(what, status) of what is parked, in order."""
        rows = await self.pool.fetch("select key, payload, status from parked_events order by id")
        return [
            (StringValue.FromString(row["payload"]).value, row["status"])
            for row in rows
            if key in (None, row["key"])
        ]

    async def waiting(self) -> list[str]:
        """What is in the outbox, in order."""
        rows = await self.pool.fetch("select payload from outbox order by id")
        return [StringValue.FromString(row["payload"]).value for row in rows]

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until the test ends."""
        task = asyncio.create_task(work)
        self.tasks.append(task)
        return task

    async def stop(self, *tasks: asyncio.Task[None]) -> None:
        """Cancel tasks, as SIGTERM does, and wait for their end."""
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _event(
    what: str, key: str = "ANI", type: str = "bought", merchant: str = "toko", **more: Any
) -> Outgoing:
    return Outgoing(
        type, merchant, key, StringValue(value=what), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **more
    )


@pytest.fixture(scope="session")
def event() -> Callable[..., Outgoing]:
    """`event("what", key, type, merchant)`: an event that tells the handler what to do."""
    return _event


@pytest.fixture
async def shop(new_database: Callable[..., Awaitable[str]]) -> AsyncIterator[Shop]:
    """A fresh shop."""
    url = await new_database(None)
    pool = await create_pool(url, maximum=6)
    await pool.execute(TABLES)
    world = Shop(pool, url)
    yield world
    await world.stop(*world.tasks)
    await pool.close()


@pytest.fixture
async def prefix(kafka_bootstrap: str) -> str:
    """A prefix of its own, with the topics customers and loyalty of three partitions each."""
    mine = f"t{uuid.uuid4().hex[:8]}."
    await topics.ensure(
        Broker(kafka_bootstrap), [topics.TopicSpec(mine + name, 3) for name in ("customers", "loyalty")]
    )
    return mine


class Wire:
    """A TCP line to Postgres that a test can cut and mend."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port or 5432)
        self._url = url
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def mend(self) -> None:
        """Accept connections, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def url(self) -> str:
        """The database's URL by way of this line."""
        host, port = self._target
        return self._url.replace(f"{host}:{port}", f"127.0.0.1:{self._port}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(onward, writer))
        self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def wire(shop: Shop) -> AsyncIterator[Wire]:
    """A line to the shop's database."""
    line = Wire(shop.url)
    await line.mend()
    yield line
    await line.cut()


@pytest.fixture
async def wired_pool(wire: Wire) -> AsyncIterator[Pool]:
    """A pool by way of the line."""
    pool = await create_pool(wire.url, maximum=3)
    yield pool
    pool.terminate()


@pytest.fixture
async def backend_of(postgres_url: str) -> AsyncIterator[Callable[[str, str], Awaitable[int]]]:
    """`await backend_of(url, application)`: the process id of that application's session in a database."""
    conn = await asyncpg.connect(postgres_url)

    async def find(url: str, application: str) -> int:
        return await eventually(
            lambda: conn.fetchval(
                "select pid from pg_stat_activity where datname = $1 and application_name = $2",
                urlsplit(url).path.removeprefix("/"),
                application,
            )
        )

    yield find
    await conn.close()
