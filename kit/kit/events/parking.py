"""Parking: an event that cannot be applied is put aside in the transaction that skips it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import asyncpg

from kit import db
from kit.db import Conn
from kit.events.envelope import Envelope
from kit.events.handlers import NotYet
from kit.logs import scrub

_queries = db.load(__file__)

Status = Literal["POISONED", "NOT_YET", "BEHIND"]
SENTENCE_MAX = 500


@dataclass(frozen=True, slots=True)
class Parked:
    """An event to put aside, and why."""

    envelope: Envelope
    status: Status
    error_type: str = ""
    error: str = ""


@dataclass(slots=True)
class Blocks:
    """Which events must wait because one before them does.

    A poisoned event holds all of its customer. One that is not yet known holds only its own topic: what
    makes it known comes from another topic, and would never arrive if it had to wait here.
    """

    customers: set[tuple[str, str]] = field(default_factory=set)
    topics: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, merchant_id: str, key: str, topic: str, status: str) -> None:
        """Note a parked event; BEHIND holds what its own topic brings after it."""
        if status == "POISONED":
            self.customers.add((merchant_id, key))
        else:
            self.topics.add((merchant_id, key, topic))

    def holds(self, envelope: Envelope) -> bool:
        """Whether this event must wait."""
        if not self.customers and not self.topics:
            return False
        return envelope.customer in self.customers or (*envelope.customer, envelope.topic) in self.topics


def status_of(error: Exception) -> Status:
    """How an event that failed so is parked."""
    return "NOT_YET" if isinstance(error, NotYet) else "POISONED"


def sentence(error: Exception) -> str:
    """What went wrong, in a sentence that is safe to keep: no row values, nothing that names a person."""
    # str() of a Postgres error carries DETAIL, which quotes the row.
    text = error.message if isinstance(error, asyncpg.PostgresError) else str(error)
    return scrub(str(text or type(error).__name__))[:SENTENCE_MAX]


def refused(envelope: Envelope, error: Exception) -> Parked:
    """The event itself failed."""
    return Parked(envelope, status_of(error), type(error).__name__, sentence(error))


def behind(envelope: Envelope) -> Parked:
    """The event waits for one before it."""
    return Parked(envelope, "BEHIND")


async def blocks(conn: Conn, envelopes: Iterable[Envelope]) -> Blocks:
    """Read, after the accounts' lock, who has something parked; waits for a replay of theirs to end."""
    customers = sorted({envelope.customer for envelope in envelopes})
    found = Blocks()
    async for row in _queries.blocked_customers(
        conn,
        merchant_ids=[merchant_id for merchant_id, _ in customers],
        keys=[key for _, key in customers],
    ):
        found.add(row["merchant_id"], row["key"], row["topic"], row["status"])
    return found


async def park(conn: Conn, events: Sequence[Parked]) -> None:
    """Put events aside, in the order given, which is the order in which they will be replayed."""
    if not events:
        return
    await _queries.park(
        conn,
        merchant_ids=[p.envelope.merchant_id for p in events],
        keys=[p.envelope.key for p in events],
        topics=[p.envelope.topic for p in events],
        partitions=[p.envelope.partition for p in events],
        offsets=[p.envelope.offset for p in events],
        record_times=[p.envelope.record_time for p in events],
        event_ids=[p.envelope.id for p in events],
        types=[p.envelope.type for p in events],
        times=[p.envelope.time for p in events],
        traceparents=[p.envelope.traceparent for p in events],
        payloads=[p.envelope.payload for p in events],
        statuses=[p.status for p in events],
        error_types=[p.error_type for p in events],
        errors=[p.error for p in events],
    )
