"""Instants that a request names."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit.rpc.errors import BadRequest


def instant(value: Timestamp, field: str) -> datetime:
    """Return a Timestamp as an aware datetime; raise INVALID_FIELDS where no calendar holds it."""
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest([(field, "must be an instant of the years 1 to 9999")]) from error
