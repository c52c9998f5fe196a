"""The inbox: an event that was taken in once is not taken in again, whatever the wire repeats."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from kit import db
from kit.db import Conn
from kit.events.envelope import Envelope

_queries = db.load(__file__)

KEPT_DAYS = 45  # longer than the topics' retention of 30 days: all that Kafka can repeat is known
AHEAD_DAYS = 7


def day_of(envelope: Envelope) -> date:
    """The UTC day of the Kafka record, which every repetition of that record shares."""
    return envelope.record_time.date()


async def take_in(conn: Conn, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Note the events and return those that are new, in the order given; the first locks of a poll."""
    rows = [
        row
        async for row in _queries.take_in(
            conn, days=[day_of(e) for e in envelopes], event_ids=[e.id for e in envelopes]
        )
    ]
    new = {row["event_id"] for row in rows}
    fresh: list[Envelope] = []
    for envelope in envelopes:
        if envelope.id in new:
            new.discard(envelope.id)  # a second copy in the same poll
            fresh.append(envelope)
    return fresh


def partition_name(day: date) -> str:
    """The name of a day's partition, such as inbox_20261122."""
    return f"inbox_{day:%Y%m%d}"


async def maintain(conn: Conn, today: date | None = None) -> None:
    """Make the partitions of the days ahead and drop those older than 45 days; call it in a transaction."""
    today = today or datetime.now(UTC).date()
    oldest = today - timedelta(days=KEPT_DAYS)
    # Two workers may start at once; the second waits here, bounded by lock_timeout.
    await conn.execute("lock table inbox_default in share update exclusive mode")
    names = {row["name"] async for row in _queries.inbox_partitions(conn)}
    # A day whose rows lie in the default partition stays there: its own would contradict them.
    taken = {row["day"] async for row in _queries.inbox_default_days(conn, since=today)}
    for ahead in range(AHEAD_DAYS + 1):
        day = today + timedelta(days=ahead)
        name = partition_name(day)
        if name not in names and day not in taken:
            until = day + timedelta(days=1)
            await conn.execute(
                f"create table {name} partition of inbox for values from ('{day}') to ('{until}')"
            )
    for name in sorted(names):
        suffix = name.removeprefix("inbox_")
        if suffix.isdigit() and datetime.strptime(suffix, "%Y%m%d").replace(tzinfo=UTC).date() < oldest:
            await conn.execute(f"drop table {name}")
    await _queries.trim_inbox_default(conn, before=oldest)
