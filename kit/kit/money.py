"""Money without floats: int64 minor units inside, google.type.Money outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.type.money_pb2 import Money

from kit.errors import InvalidArgument

_LIMIT = 10**17


class InvalidMoney(InvalidArgument):
    """An amount that this merchant's currency cannot hold."""

    reason = "INVALID_MONEY"


@dataclass(frozen=True, slots=True)
class Currency:
    """A merchant's currency: ISO 4217 code and its minor digits there (IDR: 0 by default)."""

    code: str
    digits: int


def to_minor(money: Money, currency: Currency, field: str = "amount") -> int:
    """Return the amount in minor units; raise INVALID_MONEY for another currency or a finer fraction."""
    if money.currency_code != currency.code:
        raise InvalidMoney(f"{field} must be in {currency.code}, not {money.currency_code!r}", field=field)
    units: int = money.units
    nanos: int = money.nanos
    if nanos == 0:
        minor: int = units * 10**currency.digits
    else:
        if (units > 0 > nanos) or (units < 0 < nanos) or not -(10**9) < nanos < 10**9:
            raise InvalidMoney(f"{field}: units and nanos must have one sign, |nanos| < 10^9", field=field)
        fine = 10 ** (9 - currency.digits)
        if nanos % fine:
            raise InvalidMoney(
                f"{field} has a finer fraction than the {currency.digits} digits of {currency.code} here",
                field=field,
            )
        minor = units * 10**currency.digits + (nanos // fine if nanos > 0 else -(-nanos // fine))
    if abs(minor) > _LIMIT:
        raise InvalidMoney(f"{field} is larger than any sale", field=field)
    return minor


def to_money(minor: int, currency: Currency) -> Money:
    """Return minor units as google.type.Money."""
    if currency.digits == 0:
        return Money(currency_code=currency.code, units=minor)
    scale = 10**currency.digits
    units, rest = divmod(abs(minor), scale)
    sign = -1 if minor < 0 else 1
    return Money(
        currency_code=currency.code, units=sign * units, nanos=sign * rest * 10 ** (9 - currency.digits)
    )


def share(left: int, part: int, whole: int) -> int:
    """Return floor(left × part ÷ whole): the share of `left` that goes with `part` of `whole`."""
    return 0 if whole == 0 else left * part // whole


def allot(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` ≥ 0 in proportion to `weights` ≥ 0 by largest remainder, ties by order.

    The parts add up to `total`. All weights zero: all parts zero, and the caller must not lose `total`.
    """
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [total * w // whole for w in weights]
    spare = total - sum(parts)
    if spare:
        order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
        for i in order[:spare]:
            parts[i] += 1
    return parts
