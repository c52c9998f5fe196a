"""What audits came to, kept in the database: whoever runs one is another process than who is watched."""

from __future__ import annotations

from datetime import UTC, datetime

from kit import db, metrics
from kit.audit.audit import Outcome
from kit.db import Conn, Pool
from kit.sweep import Sweep

_queries = db.load(__file__)
_WATCH_S = 30.0


async def note(pool: Pool, name: str, started: datetime, outcome: Outcome) -> None:
    """Keep what the run `name` that began at `started` (wall time) came to."""
    async with db.transaction(pool) as conn:
        await _queries.note_audit(
            conn,
            name=name,
            started_at=started,
            finished_at=datetime.now(UTC),
            looked_at=outcome.looked_at,
            differences=outcome.differences,
        )


async def _show(conn: Conn, _: datetime) -> int:
    async for row in _queries.audits(conn):
        metrics.AUDIT_FINISHED.labels(row["name"]).set(row["finished_at"].timestamp())
        metrics.AUDIT_DIFFERENCES.labels(row["name"]).set(row["differences"])
        if row["passed_at"] is not None:
            metrics.AUDIT_PASSED.labels(row["name"]).set(row["passed_at"].timestamp())
    return 0


def watch() -> Sweep:
    """The sweep by which `work` shows what audits came to."""
    return Sweep("audits", _WATCH_S, run=_show)
