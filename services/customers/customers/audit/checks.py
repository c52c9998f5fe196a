"""What `python -m customers audit` compares, page by page, in both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

from google.protobuf.message import DecodeError

from customers.audit.model import Known, Sealed, judge
from kit import db
from kit.audit import Audit, Check, Difference, check
from kit.errors import DomainError
from kit.ids import canonical_uuid
from kit.money import Currency, to_minor
from langganan.events.v1.purchases_pb2 import PurchaseCompleted, PurchaseReturned

queries = db.load(__file__)
Key = tuple[str, str]


def audit_of(pool: db.Pool, vault: db.Pool) -> Audit:
    """The audit of a customers database and its vault."""
    databases = _Two(pool, vault)
    return Audit(
        databases.read_page,
        [
            check("statistics", queries.statistics),
            check("purchases", queries.purchases),
            _bodies,
            _unsent,
            databases.records,
            databases.in_vault("contact-points", queries.points),
            databases.in_vault("holders", queries.holders),
        ],
    )


def _columns(keys: Sequence[Key]) -> dict[str, list[str]]:
    return {"merchants": [key[0] for key in keys], "customers": [key[1] for key in keys]}


async def _bodies(conn: db.Conn, keys: Sequence[Key]) -> list[Difference]:
    """Each sale as it was told says what its row says."""
    found = []
    async for row in queries.bodies(conn, **_columns(keys)):
        for what, must, told in _told(row):
            if must != told:
                name = f"{what} of purchase {row['purchase_id']}, as it was told"
                found.append(Difference("facts", row["merchant_id"], row["customer_id"], name, must, told))
    return found


def _told(row: Any) -> list[tuple[str, str, str]]:
    """(what, as the row says, as the fact says)"""
    try:
        fact = PurchaseCompleted.FromString(row["body"])
        total = to_minor(fact.total, Currency(fact.currency_code, fact.minor_digits))
    except (DecodeError, DomainError, ValueError):
        return [("body", "readable", "not readable")]
    at = fact.effective_at.ToDatetime(UTC)
    return [
        ("purchase_id", str(row["purchase_id"]), fact.purchase_id),
        ("customer_id", row["customer_id"], fact.customer_id),
        ("total", str(row["total"]), str(total)),
        # The fact has nanoseconds, the row microseconds.
        ("effective_at", row["effective_at"].isoformat(), at.isoformat()),
    ]


async def _unsent(conn: db.Conn, keys: Sequence[Key]) -> list[Difference]:
    """Each event that waits for Kafka tells of something that was recorded."""
    waiting: dict[tuple[str, str], Any] = {}
    found: list[Difference] = []
    async for row in queries.unsent(conn, **_columns(keys)):
        if id_ := _tells_of(row):
            waiting[row["merchant_id"], id_] = row
        else:
            what = f"event {row['event_id']} of {row['type']}"
            whose = (row["merchant_id"], row["customer_id"])
            found.append(Difference("outbox", *whose, what, "readable", "not readable"))
    if not waiting:
        return found
    rows = queries.told(conn, merchants=[m for m, _ in waiting], ids=[i for _, i in waiting])
    recorded = {(row["merchant_id"], str(row["id"])) async for row in rows}
    found += [
        Difference("outbox", place[0], row["customer_id"], f"fact {place[1]} of {row['type']}", "one", "none")
        for place, row in waiting.items()
        if place not in recorded
    ]
    return found


def _tells_of(row: Any) -> str:
    """Return the id of the sale or return that a waiting event tells of; empty: it is not readable."""
    try:
        if row["type"] == "purchase-completed":
            return canonical_uuid(PurchaseCompleted.FromString(row["payload"]).purchase_id, "purchase_id")
        return canonical_uuid(PurchaseReturned.FromString(row["payload"]).return_id, "return_id")
    except (DecodeError, DomainError):
        return ""


class _Two:
    """Checks that need the vault, or both databases."""

    def __init__(self, pool: db.Pool, vault: db.Pool) -> None:
        self._pool, self._vault = pool, vault

    async def read_page(self, conn: db.Conn, after: Key, size: int) -> Sequence[Key]:
        """The next customers that either database knows."""
        place = {"merchant_id": after[0], "customer_id": after[1], "size": size}
        here = {(r["merchant_id"], r["customer_id"]) async for r in queries.customers(conn, **place)}
        async with self._vault.acquire(timeout=5) as vault:
            there = {(r["merchant_id"], r["customer_id"]) async for r in queries.people(vault, **place)}
        return sorted(here | there)[:size]

    def in_vault(self, name: str, query: Callable[..., AsyncIterator[Any]]) -> Check:
        """A check of the vault alone."""

        compare = check(name, query)

        async def beside(conn: db.Conn, keys: Sequence[Key]) -> Sequence[Difference]:
            del conn
            async with _snapshot(self._vault) as vault:
                return await compare(vault, keys)

        return beside

    async def records(self, conn: db.Conn, keys: Sequence[Key]) -> list[Difference]:
        """Each customer has a record in the vault, and each record its customer.

        Two databases have no common snapshot: what looks wrong is looked at once more, later.
        """
        suspects = [d async for d in self._odd(conn, keys)]
        if not suspects:
            return []
        async with self._pool.acquire(timeout=5) as later:
            again = [d async for d in self._odd(later, [(d.merchant_id, d.customer_id) for d in suspects])]
        return [d for d in again if d in suspects]

    async def _odd(self, conn: db.Conn, keys: Sequence[Key]) -> AsyncIterator[Difference]:
        known = {
            (r["merchant_id"], r["customer_id"]): Known(r["status"], r["revision"])
            async for r in queries.known(conn, **_columns(keys))
        }
        async with _snapshot(self._vault) as vault:
            rows = [row async for row in queries.sealed(vault, **_columns(keys))]
        for row in rows:
            key = (row["merchant_id"], row["customer_id"])
            odd = judge(known.get(key), Sealed(row["version"], row["pending"]))
            if odd is not None:
                yield Difference("records", *key, odd.what, odd.must, odd.found)


@asynccontextmanager
async def _snapshot(pool: db.Pool) -> AsyncIterator[db.Conn]:
    async with (
        pool.acquire(timeout=5) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield conn
