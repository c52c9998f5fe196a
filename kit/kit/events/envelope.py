"""What an event looks like on the wire: protobuf in the value, CloudEvents binary mode in the headers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from google.protobuf.message import Message

from kit import trace
from kit.errors import InvalidArgument
from kit.ids import new_uuid

MAX_PAYLOAD_BYTES = 900_000  # headers and the batch's own bytes stay within the broker's 1 MiB
CONTENT_TYPE = b"application/protobuf"
_NAMESPACE = uuid.UUID("6c616e67-6761-6e61-6e2d-657665000001")

Headers = list[tuple[str, bytes]]


class EventTooLarge(InvalidArgument):
    """What happened does not fit into one Kafka record."""

    reason = "EVENT_TOO_LARGE"


class MalformedEvent(Exception):
    """A record that cannot be read as the event that its headers name."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A fact to publish: `type` in kebab case, `key` the customer id (purchase id when anonymous)."""

    type: str
    merchant_id: str
    key: str
    payload: Message
    time: datetime
    id: str = field(default_factory=new_uuid)
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A fact heard: `time` is the business time, `record_time` the wall time at which it was sent."""

    id: str
    type: str
    merchant_id: str
    key: str
    time: datetime
    record_time: datetime
    payload: Any
    traceparent: str = ""


class Record(Protocol):
    """A Kafka record, as aiokafka gives it; `timestamp` in milliseconds since 1970."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """A record with its headers read and its payload still bytes; `topic` carries no prefix."""

    id: uuid.UUID
    type: str
    merchant_id: str
    key: str
    time: datetime
    traceparent: str
    topic: str
    partition: int
    offset: int
    record_time: datetime
    payload: bytes

    @property
    def customer(self) -> tuple[str, str]:
        """Whose event it is: the merchant and the key."""
        return (self.merchant_id, self.key)


def headers(
    *, id: uuid.UUID | str, type: str, topic: str, merchant_id: str, time: datetime, traceparent: str = ""
) -> Headers:
    """The headers of an event: CloudEvents 1.0 over Kafka in binary mode."""
    lines: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(id).encode()),
        ("ce_type", type.encode()),
        ("ce_source", b"/langganan/" + topic.encode()),
        ("ce_time", time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
        ("ce_merchantid", merchant_id.encode()),
        ("content-type", CONTENT_TYPE),
    ]
    if traceparent:
        lines.append(("traceparent", traceparent.encode()))
    return lines


def event_type(record: Record) -> str:
    """The `ce_type` of a record; empty when it has none."""
    for name, value in record.headers:
        if name == "ce_type":
            return value.decode(errors="replace")
    return ""


def open_record(record: Record, prefix: str = "") -> Envelope:
    """Read a record's headers; what is missing or unreadable is made up so that the event can be parked."""
    fields = {name: value.decode(errors="replace") for name, value in record.headers}
    record_time = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    try:
        id_ = uuid.UUID(fields["ce_id"])
    except (KeyError, ValueError):
        id_ = uuid.uuid5(_NAMESPACE, fields.get("ce_id") or _place(record))
    try:
        time = datetime.fromisoformat(fields["ce_time"]).astimezone(UTC)
    except (KeyError, ValueError):
        time = record_time
    return Envelope(
        id=id_,
        type=fields.get("ce_type", ""),
        merchant_id=fields.get("ce_merchantid", ""),
        key=(record.key or _place(record).encode()).decode(errors="replace"),
        time=time,
        traceparent=trace.valid(fields.get("traceparent")),
        topic=record.topic.removeprefix(prefix),
        partition=record.partition,
        offset=record.offset,
        record_time=record_time,
        payload=record.value or b"",
    )


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def decode(envelope: Envelope, payload_class: type[Message]) -> Received:
    """Decode the payload; raises MalformedEvent when it is not that message."""
    try:
        payload = payload_class.FromString(envelope.payload)
    except Exception as error:
        raise MalformedEvent(f"the payload is no {payload_class.DESCRIPTOR.full_name}") from error
    if not envelope.merchant_id:
        raise MalformedEvent("the event names no merchant")
    return Received(
        id=str(envelope.id),
        type=envelope.type,
        merchant_id=envelope.merchant_id,
        key=envelope.key,
        time=envelope.time,
        record_time=envelope.record_time,
        payload=payload,
        traceparent=envelope.traceparent,
    )


@dataclass(frozen=True, slots=True)
class LocalRecord:
    """A record that never saw a broker, for tests that deliver events through the consumer's code."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def as_record(
    event: Outgoing, topic: str, offset: int, *, partition: int = 0, sent: datetime | None = None
) -> Record:
    """The record that the relay would send for an event; `sent` is wall time, now by default."""
    when = sent or datetime.now(UTC)
    return LocalRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=int(when.timestamp() * 1000),
        key=event.key.encode(),
        value=event.payload.SerializeToString(),
        headers=headers(
            id=event.id,
            type=event.type,
            topic=topic,
            merchant_id=event.merchant_id,
            time=event.time,
            traceparent=event.traceparent,
        ),
    )
