"""Identify, the hot read: a batch of questions, one statement a step; logged before it is answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from customers import metrics
from customers.errors import TooManyMisses
from customers.profiles import store
from customers.profiles.model import NAMES
from customers.vault import read
from customers.vault.read import Access, Reader, Register, SealedPerson
from customers.vault.seal import Token
from kit import db

MATCHES_MAX = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is known of a customer: an address token, a member code or a customer_id. `by` names which."""

    by: str
    reader: Reader
    reason: str
    token: Token | None = None
    member_code: str = ""
    customer_id: str = ""

    @property
    def register(self) -> Register:
        """Whose misses are counted."""
        return (self.reader.merchant_id, self.reader.store_id, self.reader.register_id)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A customer who may be meant; `person` holds the sealed names, None where they must not be shown."""

    customer_id: str
    status: str
    category: str
    kind: str
    language: str
    person: SealedPerson | None


class Identifier:
    """Answers batches of questions in a transaction of the vault; names are opened after its commit."""

    def __init__(self, pool: db.Pool, misses_max: int, window_s: int) -> None:
        self._pool, self._misses_max, self._window_s = pool, misses_max, window_s

    async def run(
        self, conn: db.Conn, questions: Sequence[Question], wait: bool
    ) -> list[list[Candidate] | Exception]:
        """Answer each question with its candidates by id; none is an answer, and counted."""
        del wait  # nothing is locked
        window = int(time.time()) // self._window_s * self._window_s
        counted = await read.misses(conn, sorted({q.register for q in questions}), window)
        refused = {r for r, misses in counted.items() if misses >= self._misses_max}
        rows = await self._recognise(
            conn, [(n, q) for n, q in enumerate(questions) if q.register not in refused]
        )
        visible = {(r["merchant_id"], r["customer_id"]) for r in rows if r["status"] != "RESTRICTED"}
        people = await read.read_people(conn, sorted(visible), NAMES) if visible else {}
        found: dict[int, list[Candidate]] = {}
        for row in rows:
            found.setdefault(row["no"], []).append(_candidate(row, people))
        await read.log_access(conn, "IDENTIFY", _accesses(questions, found))
        missed = Counter(
            q.register for n, q in enumerate(questions) if n not in found and q.register not in refused
        )
        if missed:
            await read.add_misses(conn, missed, window)
        return [self._answer(n, q, found, refused) for n, q in enumerate(questions)]

    async def _recognise(self, conn: db.Conn, asked: Sequence[tuple[int, Question]]) -> list[asyncpg.Record]:
        """Addresses by their index in the vault, then all of them, codes and ids in customers."""
        by_token = [(n, q.reader.merchant_id, q.token) for n, q in asked if q.token is not None]
        held = await read.find_holders(conn, by_token, MATCHES_MAX) if by_token else []
        merchants = {n: q.reader.merchant_id for n, q in asked}
        wanted = [(n, merchants[n], customer_id, "") for n, customer_id in held]
        wanted += [
            (n, q.reader.merchant_id, q.customer_id, q.member_code) for n, q in asked if q.token is None
        ]
        if not wanted:
            return []
        nos, of, ids, codes = map(list, zip(*wanted, strict=True))
        async with self._pool.acquire() as customers:
            rows: list[asyncpg.Record] = [
                row
                async for row in store.queries.recognise(
                    customers, nos=nos, merchants=of, customers=ids, codes=codes
                )
            ]
        return rows

    def _answer(
        self, n: int, question: Question, found: Mapping[int, list[Candidate]], refused: set[Register]
    ) -> list[Candidate] | Exception:
        if question.register in refused:
            metrics.IDENTIFIED.labels(question.by, "refused").inc()
            error = TooManyMisses(
                f"this register missed {self._misses_max} times; go on by card or member code after a pause, "
                "or register the customer"
            )
            error.retry_after = float(self._window_s)
            return error
        candidates = found.get(n, [])
        answer = "none" if not candidates else "one" if len(candidates) == 1 else "several"
        metrics.IDENTIFIED.labels(question.by, answer).inc()
        return candidates


def _candidate(row: asyncpg.Record, people: Mapping[tuple[str, str], SealedPerson]) -> Candidate:
    return Candidate(
        row["customer_id"],
        row["status"],
        row["category"],
        row["kind"],
        row["language"],
        people.get((row["merchant_id"], row["customer_id"])),
    )


def _accesses(questions: Sequence[Question], found: Mapping[int, list[Candidate]]) -> list[Access]:
    """One access a reader and reason, however many questions of the batch are theirs."""
    grouped: dict[tuple[Reader, str], list[int]] = {}
    for n, question in enumerate(questions):
        grouped.setdefault((question.reader, question.reason), []).append(n)
    return [
        Access(reader, [c.customer_id for n in numbers for c in found.get(n, [])], reason, len(numbers))
        for (reader, reason), numbers in grouped.items()
    ]
