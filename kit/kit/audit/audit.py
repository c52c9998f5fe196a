"""Walks through all customers of one database, page by page, and lets each check compare a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.db import Conn, Pool

PAGE = 200  # customers a transaction: tens of milliseconds, so that vacuum is never held up
KEPT = 1_000  # differences that are kept to be shown; all are counted

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it must be. `what` is neutral: ids and figures, nothing that names a person."""

    check: str
    merchant_id: str
    customer_id: str
    what: str
    must: str
    found: str


# Reads, in (merchant, customer) order, the next customers behind `after`; none: the end.
ReadPage = Callable[[Conn, Key, int], Awaitable[Sequence[Key]]]
# Compares the customers named and returns what differs, within the page's snapshot.
Check = Callable[[Conn, Sequence[Key]], Awaitable[Sequence[Difference]]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What a service lets audit: how its customers are read, and the checks of each page.

    `also`: what belongs to no customer, each a walk of its own; its keys name (merchant, what it is).
    """

    read_page: ReadPage
    checks: Sequence[Check]
    also: Sequence[Audit] = ()


def check(name: str, query: Callable[..., AsyncIterator[Any]]) -> Check:
    """The check of a query that takes a page as `merchants` and `customers`, and returns what differs.

    Its rows have the fields of a Difference but for the check's name.
    """

    async def run(conn: Conn, keys: Sequence[Key]) -> list[Difference]:
        rows = query(conn, merchants=[key[0] for key in keys], customers=[key[1] for key in keys])
        return [
            Difference(name, r["merchant_id"], r["customer_id"], r["what"], r["must"], r["found"])
            async for r in rows
        ]

    return run


@dataclass(slots=True)
class Outcome:
    """What an audit came to. `differences` counts all, `first` keeps the first thousand."""

    looked_at: int = 0
    differences: int = 0
    first: list[Difference] = field(default_factory=list)

    def add(self, found: Sequence[Difference]) -> None:
        """Count what was found and keep what there is room for."""
        self.differences += len(found)
        self.first += found[: KEPT - len(self.first)]


async def run_audit(pool: Pool, audit: Audit) -> Outcome:
    """Look at every customer once; each page is one short snapshot, so writes go on meanwhile.

    REPEATABLE READ: a balance and the entries under it are read at one moment, or a sale in between
    would look like a difference.
    """
    outcome = Outcome()
    outcome.looked_at = await _walk(pool, audit, outcome)
    for other in audit.also:
        await _walk(pool, other, outcome)
    return outcome


async def _walk(pool: Pool, audit: Audit, outcome: Outcome) -> int:
    """Look at all that an audit reads; return how much that was."""
    looked_at = 0
    after: Key = ("", "")
    while True:
        async with (
            pool.acquire(timeout=5) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            keys = await audit.read_page(conn, after, PAGE)
            if not keys:
                return looked_at
            for compare in audit.checks:
                outcome.add(await compare(conn, keys))
        looked_at += len(keys)
        after = keys[-1]
