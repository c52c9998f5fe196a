"""Pages in the order that every list has: (instant, id) descending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kit import paging
from kit.fingerprint import Field


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page begins: at what is older than this instant and id. The default is the first page."""

    at: datetime = paging.END
    id: str = paging.LAST_ID


def before(token: str, *filter_: Field) -> Before:
    """Return where the page of a token begins; raise INVALID_PAGE_TOKEN."""
    position = paging.before(token, *filter_)
    return Before(*position) if position else Before()
