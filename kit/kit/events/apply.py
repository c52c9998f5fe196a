"""Applies a poll in one transaction: inbox, locks, parked customers, waves; carefully when one fails."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

import structlog

from kit import cause, db, metrics
from kit.db import Conn, Pool
from kit.events import heard, inbox, parking, trouble, waves
from kit.events.envelope import Envelope, Received, decode
from kit.events.following import cause_of, following
from kit.events.handlers import Handler, Lock, Refusals
from kit.events.heard import Heard
from kit.events.parking import Blocks, Parked

log = structlog.get_logger(__name__)

ATTEMPTS = 6
Way = Callable[[Conn, list[Envelope]], Awaitable[list[Parked]]]


class Applier:
    """Takes events in once, in order for each customer, whatever fails in between."""

    def __init__(self, pool: Pool, group: str, handlers: Mapping[str, Handler], lock: Lock) -> None:
        self._pool = pool
        self._group = group
        self._handlers = handlers
        self._lock = lock
        self._guard = trouble.PoisonGuard()

    async def apply(self, envelopes: Sequence[Envelope], told: Heard) -> None:
        """Apply a poll and note the progress that it told.

        Raises TooManyPoisoned, or what says that the database cannot at present.
        """
        with following("process", self._group, envelopes) as followed:
            parked = await self._apply_all(followed.envelopes, told)
            followed.refused.update((one.envelope.id, one.status) for one in parked)

    async def _apply_all(self, envelopes: Sequence[Envelope], told: Heard) -> list[Parked]:
        way: Way = self._folded
        for attempt in range(ATTEMPTS):
            try:
                return await self._transaction(envelopes, told, way)
            except trouble.AGAIN as error:
                metrics.CONSUMER_RETRIES.labels(self._group, type(error).__name__).inc()
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)
            except trouble.Overtaken:
                metrics.CONSUMER_RETRIES.labels(self._group, "unfolded").inc()
                way = self._in_waves
            except (trouble.TooManyPoisoned, *db.LOST, *trouble.UNABLE):
                raise
            except Exception as error:
                if way == self._one_by_one:
                    raise  # failed outside of any event
                metrics.CONSUMER_RETRIES.labels(self._group, "one_by_one").inc()
                log.warning("poll_redone_one_by_one", error=type(error).__name__, why=parking.sentence(error))
                way = self._one_by_one
        raise AssertionError("the last attempt returns or raises")

    async def _transaction(self, envelopes: Sequence[Envelope], told: Heard, way: Way) -> list[Parked]:
        parked: list[Parked] = []
        async with db.transaction(self._pool) as conn:
            fresh = await inbox.take_in(conn, envelopes) if envelopes else []
            metrics.INBOX_DUPLICATES.labels(self._group).inc(len(envelopes) - len(fresh))
            if fresh:
                parked = await self._apply(conn, fresh, way)
            await heard.hear(conn, told)
        for one in parked:
            metrics.PARKED.labels(self._group, one.status).inc()
            if one.status != "BEHIND":
                with cause.of([cause_of(one.envelope)]):
                    log.warning(
                        "event_parked", status=one.status, merchant=one.envelope.merchant_id,
                        key=one.envelope.key, error=one.error_type, why=one.error,
                    )  # fmt: skip
        return parked

    async def _apply(self, conn: Conn, fresh: list[Envelope], way: Way) -> list[Parked]:
        try:
            parked = await way(conn, fresh)
        except db.LOST as error:
            if trouble.blameless(error, conn):
                raise
            raise trouble.EventFailed(str(error)) from error
        self._guard.check(p.envelope.customer for p in parked if p.status == "POISONED")
        await parking.park(conn, parked)
        return parked

    async def _folded(self, conn: Conn, fresh: list[Envelope]) -> list[Parked]:
        """The usual way: what a handler folds of a customer goes to it in one call."""
        return await self._together(conn, fresh, lambda e: e.type if self._handlers[e.type].folds else None)

    async def _in_waves(self, conn: Conn, fresh: list[Envelope]) -> list[Parked]:
        """One event of a customer a call, so that one that is refused holds those behind it."""
        return await self._together(conn, fresh, lambda e: None)

    async def _together(
        self, conn: Conn, fresh: list[Envelope], folds: Callable[[Envelope], Hashable]
    ) -> list[Parked]:
        """One call a wave and type, no savepoints; any exception undoes the whole poll."""
        decoded = [self._decode(envelope) for envelope in fresh]
        await self._lock(conn, decoded)
        received = {envelope.id: event for envelope, event in zip(fresh, decoded, strict=True)}
        blocks = await parking.blocks(conn, fresh)
        parked: list[Parked] = []
        for wave in waves.cut(fresh, lambda e: e.customer, folds):
            free = _free(wave, blocks, parked)
            for kind, group in waves.by_type(free, lambda e: e.type).items():
                refusals = await self._call(conn, kind, [received[e.id] for e in group])
                _look_behind(group, refusals)
                for envelope, refusal in zip(group, refusals, strict=True):
                    if refusal is not None:
                        _refuse(envelope, refusal, blocks, parked, conn)
        return parked

    async def _one_by_one(self, conn: Conn, fresh: list[Envelope]) -> list[Parked]:
        """The careful way: each event alone in a savepoint, customers in order as their locks are taken."""
        ordered = sorted(fresh, key=lambda e: e.customer)
        locked = await self._lock_all(conn, ordered)
        blocks = await parking.blocks(conn, ordered)
        parked: list[Parked] = []
        for envelope in ordered:
            if not _free([envelope], blocks, parked):
                continue
            try:
                async with db.savepoint(conn):
                    event = self._decode(envelope)
                    if not locked:
                        await self._lock(conn, [event])
                    [refusal] = await self._call(conn, envelope.type, [event])
            except Exception as error:  # noqa: BLE001  whatever it is, it is kept with the event
                refusal = error
            if refusal is not None:
                _refuse(envelope, refusal, blocks, parked, conn)
        return parked

    async def _lock_all(self, conn: Conn, ordered: list[Envelope]) -> bool:
        """Lock all accounts at once; False when an event makes that fail, then each locks its own."""
        try:
            async with db.savepoint(conn):
                await self._lock(conn, [self._decode(envelope) for envelope in ordered])
        except Exception as error:
            if trouble.blameless(error, conn):
                raise
            return False
        return True

    def _decode(self, envelope: Envelope) -> Received:
        return decode(envelope, self._handlers[envelope.type].payload)

    async def _call(self, conn: Conn, kind: str, events: list[Received]) -> Refusals:
        began = time.perf_counter()
        refusals = await self._handlers[kind].apply(conn, events)
        metrics.HANDLER_SECONDS.labels(self._group, kind).observe(time.perf_counter() - began)
        return refusals or [None] * len(events)


def _free(wave: list[Envelope], blocks: Blocks, parked: list[Parked]) -> list[Envelope]:
    """The events of a wave that may be applied; the others are put behind what holds them."""
    free: list[Envelope] = []
    for envelope in wave:
        if blocks.holds(envelope):
            parked.append(parking.behind(envelope))
        else:
            free.append(envelope)
    return free


def _look_behind(group: list[Envelope], refusals: Refusals) -> None:
    """Raise Overtaken when a call refused an event and applied one of its customer behind it."""
    refused: set[tuple[str, str]] = set()
    for envelope, refusal in zip(group, refusals, strict=True):
        if envelope.customer in refused:
            raise trouble.Overtaken
        if refusal is not None:
            refused.add(envelope.customer)


def _refuse(envelope: Envelope, error: Exception, blocks: Blocks, parked: list[Parked], conn: Conn) -> None:
    if trouble.blameless(error, conn):
        raise error
    one = parking.refused(envelope, error)
    parked.append(one)
    blocks.add(*envelope.customer, envelope.topic, one.status)
