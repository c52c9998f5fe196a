"""The only SQL of redemptions: batches of Reserve, Release, and what sales and returns write here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from kit import db
from kit.batch import LOCKED, LockedType
from kit.counts import count
from kit.db import Conn
from kit.errors import DomainError
from loyalty import metrics
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Source
from loyalty.accounts.store import Key, Opening
from loyalty.programs.store import Programs
from loyalty.races import second_sees_first
from loyalty.redemptions.model import Marked, Redemption, Reservation, Wanted, release, reserve

_queries = db.load(__file__)
Answer = Reservation | Exception | LockedType


@dataclass(frozen=True, slots=True)
class Freed:
    """A Release request, decoded."""

    merchant_id: str
    reservation_id: str
    customer_id: str
    origin: bytes
    now: datetime


class Reservations:
    """Decides about reservations, a list at a time."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def run(self, conn: Conn, requests: Sequence[Wanted | Freed], wait: bool) -> list[Answer]:
        """Answer Reserve and Release requests in order; LOCKED where somebody holds the account."""
        openings = [Opening(r.merchant_id, r.customer_id, r.now) for r in requests]
        # The account's lock, for the whole list, before anything of a customer is read.
        if wait:
            await accounts.lock_all(conn, openings)
            locked = {opening.key for opening in openings}
        else:
            locked = await accounts.lock_free(conn, openings)
        books = await accounts.load(conn, locked)
        known = await reservations_of(conn, [(r.merchant_id, r.reservation_id) for r in requests])
        catalogue = await self._programs.catalogue(conn, {r.merchant_id for r in requests})
        ours = {id(book): book for book in books.values()}.values()
        await accounts.load_lots(conn, [book for book in ours if book.account.negative])
        await accounts.load_past(conn, ours, requests[-1].now)
        answers: list[Answer] = []
        fresh: dict[tuple[str, str], Reservation] = {}
        kept: dict[tuple[str, str], Reservation] = {}
        for request in requests:
            book = books.get((request.merchant_id, request.customer_id))
            if book is None or (request.merchant_id, request.customer_id) not in locked:
                answers.append(LOCKED)
                continue
            key = (request.merchant_id, request.reservation_id)
            before = known.get(key)
            stood = (before.state, before.fingerprint) if before else None
            try:
                if isinstance(request, Freed):
                    after = release(book, before, *key, request.origin, request.now)
                else:
                    program = None if before else catalogue.require(key[0], request.now)
                    after = reserve(book, before, request, program)
            except DomainError as error:
                answers.append(error)
                continue
            known[key] = after
            if before is None:
                fresh[key] = after
            elif key not in fresh and stood != (after.state, after.fingerprint):
                kept[key] = after
            answers.append(after)
        await insert(conn, list(fresh.values()))
        await update(conn, list(kept.values()))
        await accounts.write(conn, books.values())
        for made in fresh.values():
            count(metrics.RESERVATIONS.labels(made.decline_reason or made.state))
        return answers


def _reservation(row: Mapping[str, Any]) -> Reservation:
    return Reservation(
        merchant_id=row["merchant_id"],
        reservation_id=str(row["reservation_id"]),
        customer_id=row["customer_id"],
        state=row["state"],
        points=row["points"],
        value=row["value"],
        program_version=row["program_version"],
        decline_reason=row["decline_reason"],
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        purchase_id=str(row["purchase_id"]) if row["purchase_id"] else None,
        points_redeemed=row["points_redeemed"],
        origin=row["origin"],
        recognised_by=row["recognised_by"],
        release_origin=row["release_origin"],
    )


async def reservations_of(conn: Conn, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Reservation]:
    """Return reservations by (merchant, id)."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = _queries.reservations_of(
        conn, merchant_ids=[k[0] for k in wanted], reservation_ids=[k[1] for k in wanted]
    )
    return {(r.merchant_id, r.reservation_id): r for r in [_reservation(row) async for row in rows]}


async def claim_holders(conn: Conn, until: datetime, limit: int) -> list[Key]:
    """Lock free accounts with reservations whose time was over by `until`, and return them."""
    rows = _queries.claim_holders(conn, until=until, limit=limit)
    return [(row["merchant_id"], row["customer_id"]) async for row in rows]


async def overdue(conn: Conn, keys: Sequence[Key], until: datetime) -> list[Reservation]:
    """Return the held reservations of these accounts whose time was over by `until`."""
    rows = _queries.overdue(
        conn, merchant_ids=[key[0] for key in keys], customer_ids=[key[1] for key in keys], until=until
    )
    return [_reservation(row) async for row in rows]


async def unheard(conn: Conn, horizon: datetime, now: datetime) -> bool:
    """Tell whether a held reservation's time was over between the horizon and now."""
    return bool(await _queries.unheard(conn, horizon=horizon, now=now))


def _said(reservations: Sequence[Reservation]) -> dict[str, list[Any]]:
    return {
        "origins": [r.origin for r in reservations],
        "recognised": [r.recognised_by for r in reservations],
        "release_origins": [r.release_origin for r in reservations],
    }


async def insert(conn: Conn, made: Sequence[Reservation]) -> None:
    """Keep new reservations."""
    if not made:
        return
    with second_sees_first():
        await _queries.insert_reservations(
            conn,
            merchant_ids=[r.merchant_id for r in made],
            reservation_ids=[r.reservation_id for r in made],
            customer_ids=[r.customer_id for r in made],
            states=[r.state for r in made],
            points=[r.points for r in made],
            values=[r.value for r in made],
            versions=[r.program_version for r in made],
            decline_reasons=[r.decline_reason for r in made],
            fingerprints=[r.fingerprint for r in made],
            created_ats=[r.created_at for r in made],
            expires_ats=[r.expires_at for r in made],
            purchase_ids=[r.purchase_id for r in made],
            points_redeemeds=[r.points_redeemed for r in made],
            **_said(made),
        )


async def update(conn: Conn, changed: Sequence[Reservation]) -> None:
    """Write where reservations stand."""
    if changed:
        await _queries.update_reservations(
            conn,
            merchant_ids=[r.merchant_id for r in changed],
            reservation_ids=[r.reservation_id for r in changed],
            states=[r.state for r in changed],
            points=[r.points for r in changed],
            fingerprints=[r.fingerprint for r in changed],
            purchase_ids=[r.purchase_id for r in changed],
            points_redeemeds=[r.points_redeemed for r in changed],
            **_said(changed),
        )


def _sources_text(sources: Sequence[Source]) -> str:
    return json.dumps(
        [[s.entry_no, s.left, s.expires_on.isoformat() if s.expires_on else None] for s in sources]
    )


def _sources(text: str) -> list[Source]:
    return [
        Source(entry_no, left, date.fromisoformat(day) if day else None)
        for entry_no, left, day in json.loads(text)
    ]


@dataclass(frozen=True, slots=True)
class Kept:
    """A redemption and whose it is."""

    merchant_id: str
    customer_id: str
    redemption: Redemption


async def insert_redemptions(conn: Conn, made: Sequence[Kept]) -> None:
    """Keep what tenders used."""
    if made:
        await _queries.insert_redemptions(
            conn,
            merchant_ids=[k.merchant_id for k in made],
            customer_ids=[k.customer_id for k in made],
            purchase_ids=[k.redemption.purchase_id for k in made],
            tender_ids=[k.redemption.tender_id for k in made],
            reservation_ids=[k.redemption.reservation_id for k in made],
            points=[k.redemption.points for k in made],
            lefts=[k.redemption.left for k in made],
            values=[k.redemption.value for k in made],
            sources=[_sources_text(k.redemption.sources) for k in made],
            expiries=[k.redemption.expires_on for k in made],
            versions=[k.redemption.program_version for k in made],
        )


async def redemptions_of(
    conn: Conn, purchases: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], dict[str, Redemption]]:
    """Return what was used in purchases (merchant, customer, purchase), by tender."""
    found: dict[tuple[str, str, str], dict[str, Redemption]] = {}
    if not purchases:
        return found
    rows = _queries.redemptions_of(
        conn,
        merchant_ids=[p[0] for p in purchases],
        customer_ids=[p[1] for p in purchases],
        purchase_ids=[p[2] for p in purchases],
    )
    async for row in rows:
        redemption = Redemption(
            str(row["purchase_id"]),
            row["tender_id"],
            str(row["reservation_id"]),
            row["points"],
            row["points_left"],
            row["value"],
            _sources(row["sources_text"]),
            row["expires_on"],
            row["program_version"],
        )
        key = (row["merchant_id"], row["customer_id"], redemption.purchase_id)
        found.setdefault(key, {})[redemption.tender_id] = redemption
    return found


async def update_redemptions(conn: Conn, changed: Sequence[Kept]) -> None:
    """Write what returns have left."""
    if changed:
        await _queries.update_redemptions(
            conn,
            merchant_ids=[k.merchant_id for k in changed],
            customer_ids=[k.customer_id for k in changed],
            purchase_ids=[k.redemption.purchase_id for k in changed],
            tender_ids=[k.redemption.tender_id for k in changed],
            lefts=[k.redemption.left for k in changed],
            sources=[_sources_text(k.redemption.sources) for k in changed],
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """An exception to list, and the sale that it belongs to."""

    merchant_id: str
    customer_id: str
    purchase_id: str
    currency_code: str
    minor_digits: int
    occurred_at: datetime
    marked: Marked


async def open_exceptions(conn: Conn) -> dict[str, int]:
    """Return how many exceptions are open, by mark."""
    return {row["mark"]: row["many"] async for row in _queries.open_exceptions(conn)}


async def insert_exceptions(conn: Conn, made: Sequence[Listed]) -> None:
    """List tenders that were booked without leave."""
    if made:
        await _queries.insert_exceptions(
            conn,
            merchant_ids=[e.merchant_id for e in made],
            exception_ids=[e.marked.exception_id for e in made],
            marks=[e.marked.mark for e in made],
            customer_ids=[e.customer_id for e in made],
            purchase_ids=[e.purchase_id for e in made],
            tender_ids=[e.marked.tender_id for e in made],
            reservation_ids=[e.marked.reservation_id for e in made],
            points=[e.marked.points for e in made],
            values=[e.marked.value for e in made],
            currency_codes=[e.currency_code for e in made],
            minor_digits=[e.minor_digits for e in made],
            occurred_ats=[e.occurred_at for e in made],
        )
        for exception in made:
            count(metrics.EXCEPTIONS.labels(exception.marked.mark))
