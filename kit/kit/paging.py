"""Opaque page tokens, bound to the filter that they belong to (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from kit.errors import InvalidArgument
from kit.fingerprint import Field, fingerprint
from kit.ids import canonical_uuid

Id = TypeVar("Id", int, str)
Row = TypeVar("Row")
# Where the first page begins: before this instant and id, newest first.
END = datetime.max.replace(tzinfo=UTC)
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

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


def next_token(
    found: Sequence[Row], size: int, place: Callable[[Row], tuple[datetime, str | int]], *filter_: Field
) -> str:
    """Return the token of the next page where more than `size` rows were found, else an empty one.

    `place` tells the (instant, id) of a row; a UUID as text.
    """
    if len(found) <= size:
        return ""
    at, id_ = place(found[size - 1])
    return encode([at.isoformat(), id_], *filter_)


def uuid_of(id_: str | int) -> str:
    """Read an id in a position as a UUID."""
    return canonical_uuid(str(id_), "page_token")


def before(token: str, *filter_: Field) -> tuple[datetime, str] | None:
    """Return the (instant, UUID) that a page lies before, None for the first; raise INVALID_PAGE_TOKEN."""
    return before_id(token, uuid_of, *filter_)


def after(token: str, read: Callable[[str | int], Id], *filter_: Field) -> Id | None:
    """Return the id that a page begins behind, None for the first page, where ids alone give the order.

    As before_id: `read` checks the id. Raises INVALID_PAGE_TOKEN.
    """
    position = decode(token, *filter_)
    if position is None:
        return None
    try:
        (id_,) = position
        return read(id_)
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged() from error


def before_id(token: str, read: Callable[[str | int], Id], *filter_: Field) -> tuple[datetime, Id] | None:
    """Return the (instant, id) that a page lies before, None for the first page.

    A token can be forged: `read` checks the id, raising ValueError or InvalidArgument. Raises
    INVALID_PAGE_TOKEN.
    """
    position = decode(token, *filter_)
    if position is None:
        return None
    try:
        at, id_ = position
        instant = datetime.fromisoformat(str(at))
        if instant.tzinfo is None:
            raise ValueError("no zone")
        return instant.astimezone(UTC), read(id_)
    except (ValueError, OverflowError, InvalidArgument) as error:
        raise _damaged() from error


def _damaged() -> InvalidArgument:
    return InvalidArgument("page_token is damaged; begin again without it", reason="INVALID_PAGE_TOKEN")
