"""Postgres: pools, transactions, queries by name, and what an SQLSTATE means for a retry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiosql
import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter
from asyncpg.pool import PoolConnectionProxy

from kit import counts

Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# What a lost connection, a shutdown of the server or a refused connect looks like.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of an answer
    ConnectionError,
    OSError,
    TimeoutError,
)
# Serialization failure, deadlock, and a statement prepared before a migration added a column (asyncpg then
# forgets it, in the whole pool): the same transaction may succeed at once.
AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
LOCKED = asyncpg.LockNotAvailableError
# The server answers but cannot: full, cancelled, shutting down, a standby, our own time limits. Neither the
# request nor the event is to blame, and the same one may do later.
UNABLE = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
)
# Class 22 and 23: this very data cannot be written.
BAD_DATA = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class _Adapter(AsyncPGAdapter):  # type: ignore[misc]  # aiosql ships no types for it
    """aiosql's own adapter looks in each call whether it was given a pool, at 25 µs; ours are connections."""

    async def select(
        self, conn: Conn, name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> AsyncIterator[Any]:
        for record in await conn.fetch(sql, *self.maybe_order_params(name, parameters)):
            yield record

    async def select_one(
        self, conn: Conn, name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> Any:
        return await conn.fetchrow(sql, *self.maybe_order_params(name, parameters))

    async def select_value(self, conn: Conn, name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self.maybe_order_params(name, parameters))

    async def insert_update_delete(self, conn: Conn, name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self.maybe_order_params(name, parameters))


def load(file: str) -> Any:
    """Return the queries of `queries.sql` beside `file`, one method for each name."""
    return aiosql.from_path(Path(file).with_name("queries.sql"), _Adapter, mandatory_parameters=False)


async def _keep_session(conn: Conn) -> None:
    """Send no RESET ALL when a connection goes back: a round trip a transaction, and sessions set nothing.

    asyncpg has rolled back by then what was left open.
    """


async def create_pool(
    url: str, *, minimum: int = 1, maximum: int = 8, lock_timeout_ms: int = 500, name: str = "langganan"
) -> Pool:
    """Open a pool whose sessions are bounded: lock wait, idle in transaction, transaction length."""
    return await asyncpg.create_pool(
        url,
        min_size=minimum,
        max_size=maximum,
        max_inactive_connection_lifetime=300,
        command_timeout=15,
        timeout=5,
        reset=_keep_session,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "lock_timeout": f"{lock_timeout_ms}ms",
            "idle_in_transaction_session_timeout": "5s",
            "transaction_timeout": "10s",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Conn]:
    """A READ COMMITTED transaction on a connection of the pool; leaving without error commits."""
    with counts.kept():
        async with pool.acquire(timeout=5) as conn, conn.transaction():
            yield conn


@asynccontextmanager
async def savepoint(conn: Conn) -> AsyncIterator[None]:
    """A part of a transaction that can be undone alone."""
    with counts.kept():
        async with conn.transaction():
            yield


@asynccontextmanager
async def transaction_beside(pool: Pool, beside: Pool) -> AsyncIterator[tuple[Conn, Conn]]:
    """A transaction of `pool`, and a connection of another database for what is read in between.

    The other connection is taken first: a transaction that waits for a second pool keeps its own waiting.
    """
    async with beside.acquire(timeout=5) as other, transaction(pool) as conn:
        yield conn, other
