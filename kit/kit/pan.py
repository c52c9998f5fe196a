"""Finds what passes as a payment card number, which is refused in any text (PAN_NOT_ALLOWED)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from kit.errors import InvalidArgument

# 13 to 19 digits in one run, or in the groups in which cards print them (4-4-4-4, 4-6-5).
_RUN = re.compile(
    r"(?<!\d)(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5})(?!\d)", re.ASCII
)
# What any of these begins with, found ten times as fast: most texts hold nothing like it.
_HINT = re.compile(r"[0-9][0-9 -]{11}[0-9]")
# Prefixes that schemes issue (ISO/IEC 7812), with the lengths in use: without them every tenth receipt
# number of 13 digits or more would be refused by chance of its check digit.
_ISSUED = re.compile(
    r"[456]\d{12,18}"  # Visa, Mastercard, Maestro, Discover, UnionPay, GPN
    r"|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"  # Diners Club
    r"|35\d{14,17}"  # JCB
    r"|81\d{14,17}",  # UnionPay
    re.ASCII,
)


class PanNotAllowed(InvalidArgument):
    """A text holds what passes as a card number."""

    reason = "PAN_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__(
            "a text holds what passes as a payment card number; send the brand and the last four digits"
        )


def luhn(digits: str) -> bool:
    """Tell whether the last digit checks the others as card numbers do."""
    total = 0
    for position, char in enumerate(reversed(digits)):
        value = int(char) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_gtin(digits: str) -> bool:
    """Tell whether 13 or 14 digits carry a right GS1 check digit: a bar code, every tenth of which would
    pass as a card number.
    """
    if len(digits) not in (13, 14):
        return False
    weights = (3 if i % 2 else 1 for i in range(len(digits)))
    return sum(int(c) * w for c, w in zip(reversed(digits), weights, strict=True)) % 10 == 0


def is_imei(digits: str) -> bool:
    """Tell whether 15 digits may be a phone's serial number, whose check digit is a card's as well."""
    return len(digits) == 15 and digits[:2] not in ("34", "37")


def _never(_: str) -> bool:
    return False


def refuse(texts: Iterable[str], *, unless: Callable[[str], bool] = _never) -> None:
    """Raise PAN_NOT_ALLOWED where a text holds a card number; `unless` excuses a run of digits."""
    text = "\n".join(texts)
    if _HINT.search(text) is None:
        return
    for found in _RUN.finditer(text):
        digits = found.group().replace(" ", "").replace("-", "")
        if _ISSUED.fullmatch(digits) and luhn(digits) and not unless(digits):
            raise PanNotAllowed
