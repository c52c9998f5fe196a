"""Which core is whose, and what the parts of a run cost in CPU, WAL bytes and syncs.

The load generator has the last core for itself as far as our own processes go; the echo server, the bare
loop and the service under measure, one at a time, share the first. Postgres may run on any, in all phases.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

# Sessions tell their statistics at most once a second, and the service's look at its pool each second
# makes them; figures are read once that has surely happened.
_STATISTICS_S = 2.5


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of what is measured, and that of the load generator."""

    server: int
    load: int

    @classmethod
    def here(cls) -> Cores:
        """The first and the last core that this process may use."""
        mine = sorted(os.sched_getaffinity(0))
        return cls(server=mine[0], load=mine[-1])


def pin(pid: int, core: int) -> None:
    """Pin a process that runs already, with all of its threads."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(int(thread.name), {core})


def cpu_seconds(pid: int) -> float:
    """CPU seconds, user and system, that a process and its children have used."""
    root = psutil.Process(pid)
    used = 0.0
    for member in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            # Those of children that have ended; the living are counted by themselves.
            used += times.user + times.system + times.children_user + times.children_system
    return used


@dataclass(frozen=True, slots=True)
class Wal:
    """What Postgres has written to its log so far."""

    bytes: int
    syncs: int


async def wal(url: str) -> Wal:
    """Return what the log says now, statistics of sessions included; `url` is a superuser's."""
    await asyncio.sleep(_STATISTICS_S)
    conn = await asyncpg.connect(url)
    try:
        row = await conn.fetchrow(
            """
            SELECT
                pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS bytes,
                (SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal') AS syncs
            """
        )
    finally:
        await conn.close()
    assert row is not None
    return Wal(row["bytes"], row["syncs"])


class Costs:
    """What named processes and Postgres' log have used since it was begun."""

    def __init__(self, pids: Mapping[str, int], url: str, cpu: Mapping[str, float], begun: Wal) -> None:
        self._pids, self._url, self._cpu, self._wal = pids, url, cpu, begun

    @classmethod
    async def begin(cls, pids: Mapping[str, int], url: str) -> Costs:
        """Note where everything stands."""
        begun = await wal(url)
        return cls(pids, url, {name: cpu_seconds(pid) for name, pid in pids.items()}, begun)

    async def per_call(self, calls: int) -> dict[str, float]:
        """CPU microseconds by process, WAL bytes and syncs, for each of `calls`."""
        used = {name: cpu_seconds(pid) - self._cpu[name] for name, pid in self._pids.items()}
        now = await wal(self._url)
        return {
            **{f"{name}_cpu_us": round(1e6 * seconds / calls, 1) for name, seconds in used.items()},
            "wal_bytes": round((now.bytes - self._wal.bytes) / calls, 1),
            "wal_syncs": round((now.syncs - self._wal.syncs) / calls, 4),
        }
