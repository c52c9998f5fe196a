"""Opaque page tokens, bound to the filter that they belong to (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import json

from kit.errors import InvalidArgument
from kit.fingerprint import Field, fingerprint

MAX_PAGE = 200
DEFAULT_PAGE = 50


def page_size(asked: int) -> int:
    """Return how many rows a page has: 50 unless asked, 200 at most."""
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def encode(position: list[str | int], *filter_: Field) -> str:
    """Return the token of the page that begins after `position`, valid for the same filter alone."""
    text = json.dumps([fingerprint(1, *filter_).hex()[:16], position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(token: str, *filter_: Field) -> list[str | int] | None:
    """Return the position in `token`, None for the first page; raise INVALID_PAGE_TOKEN."""
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        mark, position = json.loads(text)
    except (binascii.Error, ValueError, TypeError):
        mark, position = "", None
    if mark != fingerprint(1, *filter_).hex()[:16] or not isinstance(position, list):
        raise InvalidArgument(
            "page_token belongs to another filter or is damaged; begin again without it",
            reason="INVALID_PAGE_TOKEN",
        )
    return position
