"""Pages in the order that every list has: (instant, id) descending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from kit import paging
from kit.errors import InvalidArgument
from kit.fingerprint import Field
from kit.ids import canonical_uuid

Row = TypeVar("Row")
_END = datetime.max.replace(tzinfo=UTC)
_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page begins: at what is older than this instant and id. The default is the first page."""

    at: datetime = _END
    id: str = _LAST


def before(token: str, *filter_: Field) -> Before:
    """Return where the page of a token begins; raise INVALID_PAGE_TOKEN."""
    position = paging.decode(token, *filter_)
    if position is None:
        return Before()
    try:
        at, id_ = position
        return Before(datetime.fromisoformat(str(at)).astimezone(UTC), canonical_uuid(str(id_), "page_token"))
    except (ValueError, InvalidArgument) as error:
        raise InvalidArgument(
            "page_token is damaged; begin again without it", reason="INVALID_PAGE_TOKEN"
        ) from error


def next_token(
    found: Sequence[Row], size: int, place: Callable[[Row], tuple[datetime, str]], *filter_: Field
) -> str:
    """Return the token of the next page where more than `size` rows were found, else an empty one."""
    if len(found) <= size:
        return ""
    at, id_ = place(found[size - 1])
    return paging.encode([at.isoformat(), id_], *filter_)
