"""Whose fault a failure is: the moment's (again), the database's (wait), the event's (park), ours (stop)."""

from __future__ import annotations

import time
from collections.abc import Iterable

import asyncpg

from kit import db
from kit.db import Conn

# The same transaction may succeed at once.
AGAIN = (*db.AGAIN, db.LOCKED)
UNABLE = db.UNABLE


class EventFailed(Exception):
    """A handler failed in a way that only looks like a lost connection."""


class Overtaken(Exception):
    """A call that folds applied an event whose customer's event before it, in the same call, was refused."""


class TooManyPoisoned(Exception):
    """So many customers at once cannot all have bad data; the fault is in the code."""


def blameless(error: Exception, conn: Conn) -> bool:
    """Whether a failure inside a transaction says nothing against the event that was being applied."""
    if isinstance(error, (*AGAIN, *UNABLE, asyncpg.InternalClientError)):
        return True
    return conn.is_closed()


class PoisonGuard:
    """Counts poisoned customers within a minute; above the limit the consumer must stop."""

    def __init__(self, limit: int = 10, seconds: float = 60.0) -> None:
        self._limit = limit
        self._seconds = seconds
        self._seen: dict[tuple[str, str], float] = {}

    def check(self, customers: Iterable[tuple[str, str]]) -> None:
        """Note customers; raises TooManyPoisoned, before anything of theirs is committed."""
        now = time.monotonic()
        recent = {who: when for who, when in self._seen.items() if now - when < self._seconds}
        recent.update(dict.fromkeys(customers, now))
        if len(recent) > self._limit:
            raise TooManyPoisoned(
                f"events of {len(recent)} customers failed within {self._seconds:.0f} s; "
                "mend the handler, deploy it, and the consumer goes on where it stopped"
            )
        self._seen = recent
