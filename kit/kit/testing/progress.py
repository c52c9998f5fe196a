"""The record by which a publisher's relay tells how far it has come, without a broker."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit.events.envelope import LocalRecord, headers
from kit.events.progress import TYPE
from langganan.events.v1.progress_pb2 import Progress


def progress_record(
    until: datetime, topic: str, offset: int, *, partition: int = 0, partitions: int = 1
) -> LocalRecord:
    """A progress record of one of a topic's partitions: all from before `until` was sent before it."""
    moment = Timestamp()
    moment.FromDatetime(until)
    return LocalRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=int(datetime.now(UTC).timestamp() * 1000),
        key=None,
        value=Progress(until=moment, partitions=partitions).SerializeToString(),
        headers=headers(id=uuid.uuid4(), type=TYPE, topic=topic, merchant_id="", time=until),
    )
