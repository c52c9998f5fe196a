"""One list of requests, one transaction, and what each SQLSTATE means for the list.

Ids make every run repeatable, so a connection lost at COMMIT is answered by running once more.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Literal, TypeVar

import asyncpg
import structlog

from kit import db, deadline, failpoints, metrics
from kit.errors import Aborted, DomainError, InvalidArgument, Unavailable

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Session = TypeVar("Session")

log = structlog.get_logger()
_AGAIN_MAX = 3
_LOCK_WAIT_S = 5.0


class _Locked(enum.Enum):
    LOCKED = "locked"


LOCKED: Final = _Locked.LOCKED
LockedType = Literal[_Locked.LOCKED]

# A store function: same length and order; an exception in place of a reply belongs to that request.
# wait=False: lock with SKIP LOCKED and answer LOCKED where somebody else holds the lock.
# wait=True: wait for the lock (lock_timeout).
RunIn = Callable[[Session, Sequence[Request], bool], Awaitable[Sequence[Reply | Exception | LockedType]]]
Run = RunIn[db.Conn, Request, Reply]
# Opens the transaction of one run, and whatever else the run needs.
Opens = Callable[[], AbstractAsyncContextManager[Session]]


async def execute(
    name: str,
    opens: Opens[Session],
    run: RunIn[Session, Request, Reply],
    requests: Sequence[Request],
    *,
    wait: bool,
) -> list[Reply | Exception | LockedType]:
    """Run a list in one transaction and answer each of it; never raises for the list as a whole."""
    again, lost = 0, False
    started = time.monotonic()
    while True:
        try:
            async with opens() as session:
                replies = list(await run(session, requests, wait))
            failpoints.hit("committed", name)
            if len(replies) != len(requests):
                raise RuntimeError(f"{name}: {len(requests)} requests, {len(replies)} replies")
            return replies
        except db.AGAIN:
            again += 1
            metrics.BATCH_RETRIES.labels(name, "serialization").inc()
            if again > _AGAIN_MAX:
                return [Aborted("lost against concurrent changes; repeat with the same id") for _ in requests]
        except db.LOCKED:
            metrics.BATCH_RETRIES.labels(name, "locked").inc()
            if not wait:
                return [LOCKED for _ in requests]
            if time.monotonic() - started > _LOCK_WAIT_S or deadline.passed(deadline.at()):
                message = "the account is busy; repeat with the same id"
                return [Unavailable(message, reason="ACCOUNT_BUSY") for _ in requests]
        except db.BAD_DATA as error:
            metrics.BATCH_RETRIES.labels(name, "bad_data").inc()
            if len(requests) == 1:
                return [_bad_data(name, error)]
            half = len(requests) // 2
            first = await execute(name, opens, run, requests[:half], wait=wait)
            return first + await execute(name, opens, run, requests[half:], wait=wait)
        except db.LOST as error:
            metrics.BATCH_RETRIES.labels(name, "lost").inc()
            if lost:
                log.warning("database_lost", batch=name, error=type(error).__name__)
                message = "the database does not answer; repeat with the same id"
                return [Unavailable(message, reason="DATABASE_UNAVAILABLE") for _ in requests]
            lost = True
        except db.UNABLE as error:
            metrics.BATCH_RETRIES.labels(name, "unable").inc()
            log.warning("database_unable", batch=name, error=type(error).__name__, sqlstate=error.sqlstate)
            message = "the database cannot at present; repeat with the same id"
            return [Unavailable(message, reason="DATABASE_UNAVAILABLE") for _ in requests]
        except Exception as error:  # noqa: BLE001 - a fault of the run is every caller's answer
            return [error for _ in requests]


def _bad_data(name: str, error: asyncpg.PostgresError) -> DomainError:
    """What the database refused for this one request; the constraint's name is the reason's hint."""
    constraint = getattr(error, "constraint_name", None) or type(error).__name__
    log.warning("refused_by_database", batch=name, constraint=constraint, sqlstate=error.sqlstate)
    return InvalidArgument(
        f"the database refuses this ({constraint}); correct the request",
        reason="REFUSED_BY_DATABASE",
        constraint=constraint,
    )


async def once(pool: db.Pool, run: Run[Request, Reply], request: Request) -> Reply:
    """Run one request in a transaction of its own, waiting for its lock; return its reply or raise it."""
    name = getattr(run, "__name__", "once")
    (reply,) = await execute(name, partial(db.transaction, pool), run, [request], wait=True)
    if isinstance(reply, Exception):
        raise reply
    if reply is LOCKED:
        raise Unavailable("the account is busy; repeat with the same id", reason="ACCOUNT_BUSY")
    return reply
