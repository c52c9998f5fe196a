"""Answers of the service as plain Python, so that they can be compared with those of the reference."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, date
from typing import Any

import grpc.aio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kit.testing.refusals import error_info

# The same in every answer of a shop, or said to people alone.
_LEFT_OUT = {"merchant_id", "currency_code", "minor_digits", "say", "entry_no"}


def plain(message: Message) -> Any:
    """Return a message as a dict of all its fields: money as minor units, enums by name, unset as None."""
    match message.DESCRIPTOR.full_name:
        case "google.type.Money":
            assert message.nanos == 0, "rupiah have no minor digits"
            return message.units
        case "google.type.Date":
            return date(message.year, message.month, message.day)
        case "google.protobuf.Timestamp":
            return message.ToDatetime(UTC)
    fields = [f for f in message.DESCRIPTOR.fields if f.name not in _LEFT_OUT]
    return {f.name: _value(f, getattr(message, f.name), message) for f in fields}


def _value(field: FieldDescriptor, value: Any, of: Message) -> Any:
    if field.is_repeated:
        return [_single(field, each) for each in value]
    if field.has_presence and not of.HasField(field.name):
        return None
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return plain(value)
    if field.enum_type is not None:
        prefix = "".join("_" + c if c.isupper() else c.upper() for c in field.enum_type.name).lstrip("_")
        return field.enum_type.values_by_number[value].name.removeprefix(prefix + "_")
    return value


async def answer(call: Awaitable[Message]) -> Any:
    """Return what a call answers, or why it is refused and what that tells."""
    try:
        return plain(await call)
    except grpc.aio.AioRpcError as error:
        info = error_info(error)
        return {"refused": info.reason} | {k: int(v) for k, v in info.metadata.items() if v.isdecimal()}


def differences(told: Any, expected: Any, at: str = "") -> list[str]:
    """Return where an answer differs from what the reference expects: all of it that the reference tells."""
    if (
        isinstance(expected, dict)
        and isinstance(told, dict)
        and ("refused" in told) == ("refused" in expected)
    ):
        return [d for k, v in expected.items() for d in differences(told.get(k, "nothing"), v, f"{at}.{k}")]
    if isinstance(expected, list) and isinstance(told, list) and len(expected) == len(told):
        pairs = enumerate(zip(told, expected, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{at}[{n}]")]
    return [] if told == expected else [f"{at}: the service says {told!r}, the reference {expected!r}"]
