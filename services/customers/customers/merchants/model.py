"""What a merchant and a store are, and which of their settings are believable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.core import get_global

from customers.errors import Invalid
from kit.money import Currency

_BCP47 = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
DEFAULT_LOCALE = "id-ID"


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of local time of day, [start, end); it may pass midnight."""

    start: time
    end: time


QUIET = Hours(time(21), time(8))
GREETING = Hours(time(9), time(17))


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant's settings."""

    merchant_id: str
    name: str
    currency: Currency
    time_zone: str
    locale: str = DEFAULT_LOCALE
    quiet: Hours = QUIET
    greeting: Hours = GREETING
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A store's settings; empty and None: the merchant's."""

    merchant_id: str
    store_id: str
    name: str = ""
    time_zone: str = ""
    city: str = ""
    province: str = ""
    quiet: Hours | None = None
    greeting: Hours | None = None
    self_registered: bool = False
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """What holds in one store: its own settings, else its merchant's. store_id "": the merchant itself."""

    merchant_id: str
    store_id: str
    name: str
    currency: Currency
    time_zone: str
    locale: str
    quiet: Hours
    greeting: Hours

    @property
    def language(self) -> str:
        """The language of the locale."""
        return self.locale.split("-")[0]


@lru_cache(maxsize=1024)
def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_zone(name: str, field: str) -> str:
    """Return an IANA zone name, else raise INVALID_TIME_ZONE."""
    if not _zone_exists(name):
        message = f"{field} must be an IANA zone such as Asia/Jakarta, Asia/Makassar or Asia/Jayapura"
        raise Invalid("INVALID_TIME_ZONE", message, field)
    return name


def check_language(tag: str, field: str, reason: str = "INVALID_LANGUAGE") -> str:
    """Return a BCP 47 tag such as "id" or "en-GB", else raise INVALID_LANGUAGE (or `reason`)."""
    if _BCP47.fullmatch(tag) is None:
        raise Invalid(reason, f"{field} must be a BCP 47 tag such as id, en or id-ID", field)
    return tag


def check_hours(hours: Hours, field: str) -> Hours:
    """Return a span that is not empty, else raise INVALID_HOURS."""
    if hours.start == hours.end:
        raise Invalid("INVALID_HOURS", f"{field}: from and to must differ", field)
    return hours


def currency(code: str, digits: int | None) -> Currency:
    """Return an ISO 4217 currency with its minor digits here: 0 for IDR, else as ISO says, unless given."""
    if code not in get_global("all_currencies"):
        raise Invalid("INVALID_CURRENCY", f"{code} is no ISO 4217 currency", "merchant.currency_code")
    if digits is None:
        fractions = get_global("currency_fractions")
        digits = 0 if code == "IDR" else int(fractions.get(code, fractions["DEFAULT"])[0])
    return Currency(code, digits)
