"""Asks, for each merchant and local date in play, who is to be greeted, and makes what messages are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import structlog

from kit import db
from kit.ids import derived_uuid
from notify import metrics
from notify.messages import store as messages
from notify.messages.hours import end_of
from notify.messages.records import NewMessage
from notify.occasions import model, store
from notify.occasions.birthdays import Birthdays, BirthdaysUnavailable, Person
from notify.occasions.plugins import MonthDay, Occasion

log = structlog.get_logger()
_MERCHANTS_AT_ONCE = 200
_NEVER = datetime.fromtimestamp(0, UTC)


class OccasionsUnavailable(Exception):
    """Some merchants could not be asked for, or an occasion broke; the others were."""


class OccasionBroken(Exception):
    """An occasion of a third party raised; the cause is what it raised."""


class Occasions:
    """One round after the other. Several processes may ask at once: a cause has one message."""

    def __init__(
        self, pool: db.Pool, birthdays: Birthdays, occasions: Mapping[str, Occasion], every: timedelta
    ) -> None:
        self._pool, self._birthdays = pool, birthdays
        self._occasions, self._every = occasions, every

    async def round(self, now: datetime) -> int:
        """Ask for all that is due at `now` (business time); return how many merchants and occasions it was.

        Raises OccasionsUnavailable at the end where customers did not answer for some, or an occasion broke:
        they are still due.
        """
        done, unavailable = 0, 0
        for occasion in self._occasions.values():
            after, oldest = "", now
            while True:
                async with self._pool.acquire(timeout=5) as conn:
                    merchants = await store.rounds(conn, occasion.name, after, _MERCHANTS_AT_ONCE)
                for merchant_id, asked_at in merchants:
                    if model.due(asked_at, now, self._every):
                        if await self._ask(occasion, merchant_id, now):
                            done += 1
                            continue
                        unavailable += 1
                    oldest = min(oldest, asked_at or _NEVER)
                if len(merchants) < _MERCHANTS_AT_ONCE:
                    break
                after = merchants[-1][0]
            metrics.OCCASION_ASKED.labels(occasion.name).set(oldest.timestamp())
        if unavailable:
            raise OccasionsUnavailable(f"{unavailable} could not be asked for")
        return done

    async def _ask(self, occasion: Occasion, merchant_id: str, now: datetime) -> bool:
        """Greet a merchant's people of every date in play; False: customers did not answer, or it broke."""
        try:
            for day in model.dates_in_play(now):
                period, born = _said(occasion, day)
                for month, number in born:
                    async for people in self._birthdays.born_on(merchant_id, month, number):
                        await self._greet(occasion, merchant_id, day, period, people, now)
        except OccasionBroken:
            metrics.OCCASIONS_ASKED.labels(occasion.name, "BROKEN").inc()
            log.exception("occasion_broken", occasion=occasion.name, merchant=merchant_id)
            return False
        except BirthdaysUnavailable as error:
            metrics.OCCASIONS_ASKED.labels(occasion.name, "UNAVAILABLE").inc()
            log.warning("occasion_unavailable", occasion=occasion.name, merchant=merchant_id, why=str(error))
            return False
        async with db.transaction(self._pool) as conn:
            await store.asked(conn, merchant_id, occasion.name, now)
        metrics.OCCASIONS_ASKED.labels(occasion.name, "ASKED").inc()
        return True

    async def _greet(
        self,
        occasion: Occasion,
        merchant_id: str,
        day: date,
        period: str,
        people: Sequence[Person],
        now: datetime,
    ) -> None:
        new = {p.customer_id: p for p in people if _is_today(day, p, now)}
        if not new:
            return
        async with db.transaction(self._pool) as conn:
            # Most are told again and again through the day; nothing is locked for them.
            already = await store.greeted(conn, merchant_id, occasion.kind, period, list(new))
            fresh = [customer_id for customer_id in new if customer_id not in already]
            await messages.lock(conn, {(merchant_id, customer_id) for customer_id in fresh})
            # Again under the locks: a merge may have brought a greeting in between.
            already |= await store.greeted(conn, merchant_id, occasion.kind, period, fresh)
            await messages.add(
                conn,
                [
                    greeting(occasion.kind, merchant_id, p, day, period, now)
                    for customer_id, p in new.items()
                    if customer_id not in already
                ],
            )


def _said(occasion: Occasion, day: date) -> tuple[str, list[MonthDay]]:
    """Return what an occasion says of a local date: its period, and the days of birth celebrated on it."""
    try:
        return occasion.period(day), list(occasion.born_on(day))
    except Exception as error:
        raise OccasionBroken(occasion.name) from error


def _is_today(day: date, person: Person, now: datetime) -> bool:
    """Tell whether it is `day` where the person is; a zone that is not known here skips nobody else."""
    try:
        return model.is_today(day, person.zone, now)
    except (LookupError, ValueError, OSError):
        log.error("zone_unknown", zone=person.zone)
        return False


def greeting(
    kind: str, merchant_id: str, person: Person, day: date, period: str, now: datetime
) -> NewMessage:
    """Return the message that greets a person, once a period; of use until the local day ends."""
    cause = f"{person.customer_id}/{period}"
    return NewMessage(
        merchant_id=merchant_id,
        message_id=derived_uuid("message", merchant_id, kind, cause),
        customer_id=person.customer_id,
        kind=kind,
        cause=cause,
        template=kind,
        variables={},
        created_at=now,
        not_after=end_of(day, person.zone),
    )
