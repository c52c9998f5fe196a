"""Values as people of a language write them: Rp 12.500, 5 Maret 2026 14.05."""

from __future__ import annotations

import re
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import assert_never
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import NumberPattern, format_decimal

from notify.templates.values import Amount, Moment, Value

_APART = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    return Locale.parse(language)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def _pattern(language: str, digits: int) -> NumberPattern:
    """The language's pattern for money, with the merchant's minor digits in place of ISO's."""
    pattern = copy(_locale(language).currency_formats["standard"])
    assert isinstance(pattern, NumberPattern)
    pattern.frac_prec = (digits, digits)
    return pattern


@lru_cache(maxsize=4096)
def money(amount: Amount, language: str) -> str:
    """Return the amount with the merchant's digits: 12500 IDR is "Rp 12.500" in Indonesian."""
    text = _pattern(language, amount.digits).apply(
        Decimal(amount.minor).scaleb(-amount.digits),
        _locale(language),
        currency=amount.currency,
        currency_digits=False,
    )
    # CLDR's currencySpacing, which babel leaves out: a symbol that ends in a letter stands apart. A common
    # space, as plain text copes better with it than with the no-break one.
    return _APART.sub(" ", text.replace("\xa0", " "))


@lru_cache(maxsize=1024)
def _minute(at: datetime, zone: str, language: str) -> str:
    local = at.astimezone(_zone(zone))
    locale = _locale(language)
    when = format_datetime(local, "d MMMM y HH:mm", locale=locale)
    # The tz database's own abbreviation: WIB, WITA, WIT in Indonesia in every language; some have none.
    zone_name = local.tzname() or zone
    return f"{when} {zone_name if zone_name.isalpha() else 'UTC' + zone_name}"


def moment(value: Moment, language: str) -> str:
    """Return local date, hour and minute with the zone's short name."""
    return _minute(value.at.replace(second=0, microsecond=0), value.zone, language)


def shown(value: Value, language: str) -> str:
    """Return any value as text of the language."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(format_decimal(value, locale=_locale(language)))
    if isinstance(value, Amount):
        return money(value, language)
    if isinstance(value, Moment):
        return moment(value, language)
    if isinstance(value, date):
        return format_date(value, "d MMMM y", locale=_locale(language))
    assert_never(value)
