"""Instants between datetime (aware, UTC) and protobuf."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from google.protobuf.timestamp_pb2 import Timestamp


def instant(value: Timestamp) -> datetime:
    """Return a Timestamp as an aware datetime."""
    return value.ToDatetime(UTC)


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
