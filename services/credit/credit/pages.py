"""Pages in the order that every list has: (instant, id) descending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from kit import paging
from kit.fingerprint import Field

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page begins: at what is older than this instant and id. The default is the first page."""

    at: datetime = paging.END
    id: str = paging.LAST_ID


def before(token: str, *filter_: Field) -> Before:
    """Return where the page of a token begins; raise INVALID_PAGE_TOKEN."""
    position = paging.before(token, *filter_)
    return Before(*position) if position else Before()


def next_token(
    found: Sequence[Row], size: int, place: Callable[[Row], tuple[datetime, str]], *filter_: Field
) -> str:
    """Return the token of the next page where more than `size` rows were found, else an empty one."""
    if len(found) <= size:
        return ""
    at, id_ = place(found[size - 1])
    return paging.encode([at.isoformat(), id_], *filter_)
