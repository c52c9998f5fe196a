"""A step on both sides: what the reference makes of it, and the call or the event that it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kit.events import Outgoing
from tests.credit.reference.books import Books, Refused


@dataclass(frozen=True)
class Move:
    """One step; an event has no answer."""

    expect: Callable[[Books], Any]
    call: Callable[[], Awaitable[Any]] | None = None
    event: Outgoing | None = None

    def expected(self, books: Books) -> Any:
        """What the reference answers, a refusal as such."""
        try:
            return self.expect(books)
        except Refused as refused:
            return {"refused": refused.reason} | refused.told
