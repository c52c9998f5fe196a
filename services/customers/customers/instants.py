"""Instants between datetime (aware, UTC) and protobuf."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_if_any(value: Timestamp) -> datetime | None:
    """Return a Timestamp as an aware datetime, None where no calendar holds it: a till's clock may say so."""
    if not 0 <= value.nanos < 10**9:
        return None
    try:
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    except OverflowError:
        return None


@overload
def stamp(value: datetime) -> Timestamp: ...
@overload
def stamp(value: datetime | None) -> Timestamp | None: ...
def stamp(value: datetime | None) -> Timestamp | None:
    """Return an aware datetime as a Timestamp; None stays unset."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message
