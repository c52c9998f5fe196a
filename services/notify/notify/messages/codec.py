"""Messages between their public form and ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from google.type import date_pb2

from kit.errors import InvalidArgument
from kit.money import Currency, to_minor, to_money
from langganan.notify.v1 import messages_pb2
from notify.errors import InvalidDate, InvalidTimeZone
from notify.messages.records import Stored
from notify.templates.values import Amount, Moment, Value, check_neutral


def state_name(state: messages_pb2.MessageState.ValueType) -> str:
    """Return the name of a state as it is stored."""
    return messages_pb2.MessageState.Name(state).removeprefix("MESSAGE_STATE_")


def value(name: str, variable: messages_pb2.Variable) -> Value:
    """Decode one variable; raises the reasons that SendMessage documents."""
    match variable.WhichOneof("value"):
        case "text":
            return check_neutral(name, variable.text)
        case "integer":
            return variable.integer
        case "money":
            currency = Currency(variable.money.amount.currency_code, variable.money.minor_digits)
            if len(currency.code) != 3 or not currency.code.isalpha() or not currency.code.isupper():
                raise InvalidArgument(
                    f"variable {name}: currency_code must be ISO 4217", reason="INVALID_MONEY", field=name
                )
            return Amount(to_minor(variable.money.amount, currency, name), currency.code, currency.digits)
        case "date":
            day = variable.date
            try:
                return date(day.year, day.month, day.day)
            except ValueError as error:
                raise InvalidDate(f"variable {name} is no day of the calendar", field=name) from error
        case "time":
            try:
                ZoneInfo(variable.time.time_zone)
            except (KeyError, ValueError, OSError) as error:
                raise InvalidTimeZone(
                    f"variable {name}: time_zone must be an IANA name", field=name
                ) from error
            return Moment(_moment(name, variable.time.instant), variable.time.time_zone)
    raise InvalidArgument(f"variable {name} has no value", reason="INVALID_FIELDS", field=name)


def _moment(name: str, stamp: Timestamp) -> datetime:
    try:
        instant = stamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidDate(f"variable {name} is no instant", field=name) from error
    if not 1900 <= instant.year <= 9000:
        raise InvalidDate(f"variable {name} is far outside our time", field=name)
    return instant


def _variable(value: Value) -> messages_pb2.Variable:
    if isinstance(value, str):
        return messages_pb2.Variable(text=value)
    if isinstance(value, int):
        return messages_pb2.Variable(integer=value)
    if isinstance(value, Amount):
        amount = to_money(value.minor, Currency(value.currency, value.digits))
        return messages_pb2.Variable(
            money=messages_pb2.MoneyVariable(amount=amount, minor_digits=value.digits)
        )
    if isinstance(value, Moment):
        at = messages_pb2.TimeVariable(time_zone=value.zone)
        at.instant.FromDatetime(value.at)
        return messages_pb2.Variable(time=at)
    if isinstance(value, date):
        return messages_pb2.Variable(date=date_pb2.Date(year=value.year, month=value.month, day=value.day))
    assert_never(value)


def encode(found: Stored) -> messages_pb2.Message:
    """Return the public form of a message."""
    message = messages_pb2.Message(
        message_id=found.message_id,
        customer_id=found.customer_id,
        kind=found.kind,
        cause=found.cause,
        template=found.template,
        template_version=found.template_version,
        variables={name: _variable(v) for name, v in found.variables.items()},
        state=messages_pb2.MessageState.Value(f"MESSAGE_STATE_{found.state}"),
        reason=_reason(found.reason),
        last_failure=_reason(found.last_failure),
        channel=found.channel,
        language=found.language,
        attempts=found.attempts,
    )
    message.create_time.FromDatetime(found.created_at)
    message.not_after.FromDatetime(found.not_after)
    if found.not_before is not None:
        message.not_before.FromDatetime(found.not_before)
    if found.finished_at is not None:
        message.finish_time.FromDatetime(found.finished_at)
    return message


def _reason(reason: str) -> messages_pb2.MessageReason.ValueType:
    return messages_pb2.MessageReason.Value(f"MESSAGE_REASON_{reason or 'UNSPECIFIED'}")
