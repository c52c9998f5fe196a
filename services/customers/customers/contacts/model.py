"""Which addresses are one and the same, what a consent allows, and who may be spoken to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from customers.errors import Invalid

PHONE, EMAIL, WHATSAPP = "PHONE", "EMAIL", "WHATSAPP"
NUMBER = "number"
ADDRESS = "email"
DEFAULT_REGION = "ID"
E164_DIGITS = 15
ADULT_YEARS = 18
# Contract (rules.md, Identity and privacy): no consent is needed, but it can be withdrawn for a channel.
ON_CONTRACT = frozenset({"CONFIRMATION", "PAYMENT_REMINDER", "MEMBERSHIP"})

# The common case, read without the library: an Indonesian mobile number as dialled or in E.164.
_ID_MOBILE = re.compile(r"(?:\+62|0)(8\d{8,10})", re.ASCII)


def normal_phone(text: str, field: str) -> str:
    """Return a number in E.164, Indonesian unless it says otherwise, else raise INVALID_PHONE."""
    plain = _ID_MOBILE.fullmatch(text)
    if plain:
        return "+62" + plain.group(1)
    number = None
    # Letters would be read as the digits of their keys.
    if not any(c.isalpha() for c in text):
        with suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(text, DEFAULT_REGION)
    if number is None or number.extension or not _is_whole(number):
        message = f"{field} is no phone number; send it as +62… or as dialled in Indonesia"
        raise Invalid("INVALID_PHONE", message, field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_whole(number: phonenumbers.PhoneNumber) -> bool:
    """A length that exists and needs no area code. Whether the prefix is in use is not asked: tables age."""
    if len(f"{number.country_code}{number.national_number}") > E164_DIGITS:
        return False
    reason = phonenumbers.is_possible_number_with_reason(number)
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def normal_email(text: str, field: str) -> str:
    """Return an e-mail address in its normal form, else raise INVALID_EMAIL. The DNS is not asked."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        # The library's sentence may repeat the address, which must not reach a log.
        raise Invalid("INVALID_EMAIL", f"{field} is no e-mail address; correct it", field) from error


def normal_address(channel: str, text: str, field: str) -> str:
    """Return the stored form of an address of a channel."""
    return normal_email(text, field) if channel == EMAIL else normal_phone(text, field)


def kind_of(channel: str) -> str:
    """Phone and WhatsApp share numbers: whoever holds one holds the other."""
    return ADDRESS if channel == EMAIL else NUMBER


def index_value(kind: str, address: str) -> str:
    """What is looked up: e-mail providers do not tell the case of a name apart."""
    return address.casefold() if kind == ADDRESS else address


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One address of a customer, in its normal form."""

    channel: str
    address: str
    shared: bool = False
    verified_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The latest evidence of one purpose, channel and address token; token None: all of the channel."""

    purpose: str
    channel: str
    token: bytes | None
    given: bool
    by_guardian: bool


def agreed(evidence: Iterable[Evidence], purpose: str, channel: str, token: bytes, *, minor: bool) -> bool:
    """Tell whether the evidence, newest first, allows a purpose over an address.

    The newest that speaks of this address or of its whole channel counts. A minor's own word counts only
    when it withdraws.
    """
    for one in evidence:
        if one.purpose != purpose or one.channel != channel or one.token not in (None, token):
            continue
        if one.given and minor and not one.by_guardian:
            continue
        return one.given
    return purpose in ON_CONTRACT


def refusal(status: str | None, purpose: str) -> str | None:
    """Why a customer of this status may not be spoken to for a purpose; None: may."""
    if status is None:
        return "UNKNOWN"
    if status in ("ERASING", "ERASED"):
        return "ERASED"
    if status == "RESTRICTED":
        return "RESTRICTED"
    if status == "INACTIVE" and purpose not in ON_CONTRACT:
        return "INACTIVE"
    return None


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A date of birth; year 0: unknown."""

    year: int
    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}-{self.day:02}"

    @classmethod
    def parse(cls, text: str) -> BirthDate:
        """Read what str() wrote."""
        year, month, day = text.split("-")
        return cls(int(year), int(month), int(day))


def check_birth_date(value: BirthDate, today: date) -> BirthDate:
    """Return a date that exists and is past, else raise INVALID_BIRTH_DATE."""
    field = "customer.birth_date"
    try:
        # 2000 was a leap year, so 29 February of an unknown year is fine.
        born = date(value.year or 2000, value.month, value.day)
    except ValueError:
        born = None
    if born is None or (value.year and (born > today or value.year < today.year - 130)):
        raise Invalid(
            "INVALID_BIRTH_DATE", f"{field} must be a past date of this life; year 0: unknown", field
        )
    return value


def is_minor(born: BirthDate | None, today: date) -> bool:
    """Tell whether a person is known to be under 18 on a local date."""
    if born is None or born.year == 0:
        return False
    return (today.year, today.month, today.day) < (born.year + ADULT_YEARS, born.month, born.day)
