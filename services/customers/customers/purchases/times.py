"""Timestamps between protobuf, which has nanoseconds and any year, and datetime, which has neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(stamp: Timestamp) -> datetime | None:
    """Return the instant to the microsecond, None where the calendar of datetime does not hold it."""
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        return None


def to_stamp(instant: datetime) -> Timestamp:
    """Return an aware instant as a Timestamp."""
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)
