"""Finds what looks like an e-mail address or a phone number, kept out of texts that lie outside the vault."""

from __future__ import annotations

import re

from kit import pan
from kit.errors import InvalidArgument

_EMAIL = re.compile(r"[^\s@]@[^\s@]")
# International with its plus, or an Indonesian mobile number with 62 or 0, in the groups people write.
_PHONE = re.compile(r"(?<![\w.-])(?:\+\d[\d ().-]{6,}\d|(?:62|0)8\d[\d -]{6,11}\d)(?![\w-])")
_DIALLED = re.compile(r"(?<![\w.-])\+\d[\d ().-]{6,}\d(?![\w-])")


class TextNotNeutral(InvalidArgument):
    """A text that stays outside the vault looks like an address of a person."""

    reason = "TEXT_NOT_NEUTRAL"

    def __init__(self, field: str) -> None:
        super().__init__(
            f"{field} looks like an e-mail address or a phone number; leave it out, for an erasure of the "
            "customer must find nothing here",
            field=field,
        )


def is_address(text: str) -> bool:
    """Tell whether a text holds what looks like an e-mail address or a phone number."""
    return _EMAIL.search(text) is not None or _PHONE.search(text) is not None


def refuse_in_reference(**texts: str) -> None:
    """The same for what a bank or a till made up: its digits may begin like a phone number's by chance."""
    pan.refuse(texts.values())
    for field, text in texts.items():
        if _EMAIL.search(text) or _DIALLED.search(text):
            raise TextNotNeutral(field)


def refuse(**texts: str) -> None:
    """Raise PAN_NOT_ALLOWED for a card number and TEXT_NOT_NEUTRAL for an address; texts by field name."""
    pan.refuse(texts.values())
    for field, text in texts.items():
        if is_address(text):
            raise TextNotNeutral(field)
