"""Pages in the order that every list has: (instant, id) descending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kit import paging
from kit.fingerprint import Field

# Nothing of ours has a number as large.
_LAST_NO = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page begins: at what is older than this instant and id. The default is the first page."""

    at: datetime = paging.END
    id: str = paging.LAST_ID


def before(token: str, *filter_: Field) -> Before:
    """Return where the page of a token begins; raise INVALID_PAGE_TOKEN."""
    position = paging.before(token, *filter_)
    return Before(*position) if position else Before()


@dataclass(frozen=True, slots=True)
class BeforeNumber:
    """Where a page of what is numbered begins: at what is older than this instant and number."""

    at: datetime = paging.END
    no: int = _LAST_NO


def before_numbered(token: str, *filter_: Field) -> BeforeNumber:
    """Return where the page of a token begins, by (instant, number); raise INVALID_PAGE_TOKEN."""
    position = paging.before_id(token, _number, *filter_)
    return BeforeNumber(*position) if position else BeforeNumber()


def before_number(token: str, *filter_: Field) -> int:
    """Return where the page of a token begins, by number alone; raise INVALID_PAGE_TOKEN."""
    found = paging.after(token, _number, *filter_)
    return _LAST_NO if found is None else found


def _number(id_: str | int) -> int:
    """Read a number; a forged token may hold anything."""
    number = int(id_)
    if not 0 <= number <= _LAST_NO:
        raise ValueError("no number of ours")
    return number
