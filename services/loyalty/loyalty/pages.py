"""Where a page begins: the position that a page token carries, checked, for a token can be forged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from kit import paging
from kit.fingerprint import Field

Id = TypeVar("Id", int, str)


def before(token: str, first: Id, read: Callable[[str | int], Id], *filter_: Field) -> tuple[datetime, Id]:
    """Return the (instant, id) that a page lies before, (END, first) for the first page.

    `read` checks the id and raises ValueError or InvalidArgument; raises INVALID_PAGE_TOKEN.
    """
    return paging.before_id(token, read, *filter_) or (paging.END, first)


def entry_no(id_: str | int) -> int:
    """Return the number of an entry."""
    number = int(id_)
    if not 0 <= number < 2**63:
        raise ValueError("no number of an entry")
    return number
