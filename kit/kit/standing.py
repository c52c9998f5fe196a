"""Where a database stands, and whether this build can run on it; decision 0042.

A build is named by the newest migration that it knows. It runs on a database that has that migration, and
whose oldest build still welcome is not newer: what it knows is there, and has not been taken away.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from kit.db import LOST, Conn

# A contracting migration says: comment on table schema_migrations is 'builds from 20270131000000'
_FLOOR = re.compile(r"builds from (\d{14})")
_COMMENT = "obj_description(to_regclass('schema_migrations'), 'pg_class')"


@dataclass(frozen=True, slots=True)
class Standing:
    """A database's newest migration, and the oldest build that it lets run; empty: none, and any."""

    version: str
    floor: str

    def trouble(self, known: str) -> str:
        """Say why a build that knows the schema up to `known` cannot run here; empty: it can."""
        if self.version < known:
            return f"needs schema {known}, found {self.version or 'none'}: run migrate of this build"
        if self.floor > known:
            return f"takes builds from schema {self.floor}, this one knows {known}: roll out a newer build"
        return ""


def floor_of(comment: str | None) -> str:
    """Return the oldest build that the comment on schema_migrations lets run; empty: any."""
    found = _FLOOR.fullmatch(comment or "")
    return found[1] if found else ""


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Conn]:
    """A connection on which nothing is waited for longer than 5 s: who waits for a lock hears no SIGTERM."""
    conn = await asyncpg.connect(url, timeout=5, command_timeout=5)
    try:
        yield conn
    except BaseException:
        conn.terminate()
        raise
    await conn.close(timeout=5)


async def standing(url: str) -> Standing:
    """Ask a database where it stands. Raises what connecting raises."""
    async with _connection(url) as conn:
        if await conn.fetchval("SELECT to_regclass('schema_migrations')") is None:
            return Standing("", "")
        newest = await conn.fetchval("SELECT coalesce(max(version), '') FROM schema_migrations")
        return Standing(newest, floor_of(await conn.fetchval(f"SELECT {_COMMENT}")))


async def misspelt(url: str) -> str:
    """Return a comment on schema_migrations that says nothing to us; empty: there is none such."""
    async with _connection(url) as conn:
        comment = await conn.fetchval(f"SELECT {_COMMENT}")
    return comment if comment and not floor_of(comment) else ""


async def look(conn: Conn) -> tuple[float, str]:
    """Ask a database that is in use: how far our clock is ahead of its, in seconds, and its floor.

    Raises what a lost connection raises.
    """
    before = time.time()
    row = await conn.fetchrow(f"SELECT clock_timestamp() AS now, {_COMMENT} AS comment", timeout=2)
    assert row is not None
    return skew(before, row["now"].timestamp(), time.time()), floor_of(row["comment"])


def skew(before: float, database: float, after: float) -> float:
    """Return how far our clock is ahead at least: the database was asked between two of our instants."""
    return max(0.0, before - database) + min(0.0, after - database)


async def why_not(known: Mapping[str, tuple[str, str]]) -> str:
    """Say why this build cannot run on its databases at present; empty: it can.

    `known`: by URL, the name of the setting that has it and the newest migration that this build knows.
    """
    for url, (name, version) in known.items():
        try:
            trouble = (await standing(url)).trouble(version)
        except (*LOST, asyncpg.PostgresError) as error:
            trouble = f"needs schema {version}, found {type(error).__name__}"
        if trouble:
            return f"{name} {trouble}"
    return ""
