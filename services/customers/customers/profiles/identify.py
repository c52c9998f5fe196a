"""Identify, the hot read: a batch of questions, one statement a step; logged before it is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from customers import metrics
from customers.profiles import store
from customers.profiles.limit import MissLimit, register_of
from customers.profiles.model import NAMES
from customers.vault import read
from customers.vault.read import Access, Reader, Register, SealedPerson
from customers.vault.seal import Token
from kit import db
from kit.counts import count

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
    def counter(self) -> Register | None:
        """Where a miss is counted: the register, else the caller. None: what is scanned cannot be guessed."""
        return None if self.token is None else register_of(self.reader)


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

    def __init__(self, limit: MissLimit) -> None:
        self._limit = limit

    async def run(
        self, session: tuple[db.Conn, db.Conn], questions: Sequence[Question], wait: bool
    ) -> list[list[Candidate] | Exception]:
        """Answer each question with its candidates by id; none is an answer, and counted.

        The session: a transaction of the vault, and a connection of customers.
        """
        del wait  # nothing is locked
        conn, customers = session
        counters = [q.counter for q in questions]
        refused = await self._limit.waits(conn, {c for c in counters if c is not None})
        rows = await _recognise(
            conn, customers, [(n, q) for n, q in enumerate(questions) if counters[n] not in refused]
        )
        visible = {(r["merchant_id"], r["customer_id"]) for r in rows if r["status"] != "RESTRICTED"}
        people = await read.read_people(conn, sorted(visible), NAMES) if visible else {}
        found: dict[int, list[Candidate]] = {}
        for row in rows:
            found.setdefault(row["no"], []).append(_candidate(row, people))
        await read.log_access(conn, "IDENTIFY", _accesses(questions, found))
        missed = Counter(
            c for n, c in enumerate(counters) if c is not None and n not in found and c not in refused
        )
        if missed:
            await self._limit.count(conn, missed)
        return [
            self._refusal(q, refused[c]) if c is not None and c in refused else _answer(q, found.get(n, []))
            for n, (q, c) in enumerate(zip(questions, counters, strict=True))
        ]

    def _refusal(self, question: Question, wait: int) -> Exception:
        count(metrics.IDENTIFIED.labels(question.by, "refused"))
        return self._limit.refusal(wait)


async def _recognise(
    conn: db.Conn, customers: db.Conn, asked: Sequence[tuple[int, Question]]
) -> list[asyncpg.Record]:
    """Addresses by their index in the vault, then all of them, codes and ids in customers."""
    by_token = [(n, q.reader.merchant_id, q.token) for n, q in asked if q.token is not None]
    held = await read.find_holders(conn, by_token, MATCHES_MAX) if by_token else []
    merchants = {n: q.reader.merchant_id for n, q in asked}
    wanted = [(n, merchants[n], customer_id, "") for n, customer_id in held]
    wanted += [(n, q.reader.merchant_id, q.customer_id, q.member_code) for n, q in asked if q.token is None]
    if not wanted:
        return []
    nos, of, ids, codes = map(list, zip(*wanted, strict=True))
    found = store.queries.recognise(customers, nos=nos, merchants=of, customers=ids, codes=codes)
    return [row async for row in found]


def _answer(question: Question, candidates: list[Candidate]) -> list[Candidate]:
    answer = "none" if not candidates else "one" if len(candidates) == 1 else "several"
    count(metrics.IDENTIFIED.labels(question.by, answer))
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
