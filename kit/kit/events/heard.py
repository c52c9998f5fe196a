"""How far this database has heard: all that became true at a publisher before an instant is applied here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from google.protobuf.message import DecodeError

from kit import db
from kit.db import Conn
from kit.events.envelope import Record
from kit.events.progress import NEVER
from langganan.events.v1.progress_pb2 import Progress

log = structlog.get_logger(__name__)
_queries = db.load(__file__)

Heard = Mapping[tuple[str, int], Progress]  # by topic, without prefix, and partition


async def horizon(conn: Conn, topic: str) -> datetime:
    """The business instant before which all that `topic`'s publisher has said is applied here, or parked.

    The earliest that its partitions have told; datetime.min (UTC) while one of them has told nothing. It
    stands still while the publisher's worker, the broker or this consumer is away: what stands behind it
    may still be on its way, so nothing may be given up for its absence. Whose event is parked is not
    covered: look into parked_events for the customer as well. `topic` without prefix.
    """
    until = await _queries.horizon(conn, topic=topic)
    return NEVER if until is None else until.astimezone(UTC)


def furthest(records: Sequence[Record], prefix: str) -> Heard:
    """Of a poll's progress records the furthest of each partition; one that cannot be read says nothing."""
    heard: dict[tuple[str, int], Progress] = {}
    for record in records:
        place = (record.topic.removeprefix(prefix), record.partition)
        try:
            told = Progress.FromString(record.value or b"")
        except DecodeError:
            log.warning("progress_unreadable", topic=record.topic, offset=record.offset)
            continue
        if place not in heard or heard[place].until.ToDatetime() < told.until.ToDatetime():
            heard[place] = told
    return heard


async def hear(conn: Conn, heard: Heard) -> None:
    """Note what a poll told; call it last in its transaction: nothing is waited for under its locks."""
    if heard:
        await _queries.hear(
            conn,
            topics=[topic for topic, _ in heard],
            numbers=[number for _, number in heard],
            partitions=[told.partitions for told in heard.values()],
            untils=[told.until.ToDatetime(UTC) for told in heard.values()],
        )
