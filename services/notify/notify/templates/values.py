"""The neutral values of a message: what a template shows, how it is stored, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from kit import neutral, pan
from kit.errors import InvalidArgument
from notify.errors import VariableNotNeutral

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: minor units, ISO 4217 code, minor digits of the currency at this merchant."""

    minor: int
    currency: str
    digits: int


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant that is shown as local time of a zone (IANA name)."""

    at: datetime
    zone: str


# A text is a reference such as a receipt number, an int a count or points.
Value = str | int | Amount | date | Moment
TYPE_NAMES: Mapping[type, str] = {str: "text", int: "integer", Amount: "money", date: "date", Moment: "time"}

REFERENCE_MAX = 64


def check_neutral(name: str, text: str) -> str:
    """Return `text`; raise PAN_NOT_ALLOWED for a card number, VARIABLE_NOT_NEUTRAL for an address."""
    pan.refuse([text])
    if neutral.is_address(text):
        raise VariableNotNeutral(
            f"variable {name} looks like an e-mail address or a phone number; notify asks customers for "
            "addresses and stores none",
            field=name,
        )
    return text


def reference(text: str) -> str:
    """Return another's reference as far as it is neutral and short; an address is left out whole."""
    try:
        return check_neutral("reference", text[:REFERENCE_MAX])
    except InvalidArgument:
        return ""


def _store(value: Value) -> object:
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Amount):
        return {"minor": value.minor, "currency": value.currency, "digits": value.digits}
    if isinstance(value, Moment):
        return {"at": value.at.astimezone(UTC).isoformat(), "zone": value.zone}
    return {"date": value.isoformat()}


def _read(stored: object) -> Value:
    if isinstance(stored, (str, int)):
        return stored
    assert isinstance(stored, dict)
    if "minor" in stored:
        return Amount(stored["minor"], stored["currency"], stored["digits"])
    if "at" in stored:
        return Moment(datetime.fromisoformat(stored["at"]), stored["zone"])
    return date.fromisoformat(stored["date"])


def to_json(values: Mapping[str, Value]) -> Json:
    """Return what the column `variables` holds."""
    return {name: _store(value) for name, value in values.items()}


def from_json(stored: Mapping[str, object]) -> dict[str, Value]:
    """Return the values that `to_json` stored."""
    return {name: _read(value) for name, value in stored.items()}
