"""Where a page begins: the position that a page token carries, checked, for a token can be forged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from kit import paging
from kit.errors import InvalidArgument
from kit.fingerprint import Field

Id = TypeVar("Id", int, str)
END = datetime.max.replace(tzinfo=UTC)


def before(token: str, first: Id, read: Callable[[str | int], Id], *filter_: Field) -> tuple[datetime, Id]:
    """Return the (instant, id) that a page lies before, (END, first) for the first page.

    `read` checks the id and raises ValueError or InvalidArgument; raises INVALID_PAGE_TOKEN.
    """
    position = paging.decode(token, *filter_)
    if position is None:
        return END, first
    try:
        at, id_ = position
        return datetime.fromisoformat(str(at)).astimezone(UTC), read(id_)
    except (ValueError, OverflowError, InvalidArgument) as error:
        raise InvalidArgument(
            "page_token is damaged; begin again without it", reason="INVALID_PAGE_TOKEN"
        ) from error


def entry_no(id_: str | int) -> int:
    """Return the number of an entry."""
    number = int(id_)
    if not 0 <= number < 2**63:
        raise ValueError("no number of an entry")
    return number
