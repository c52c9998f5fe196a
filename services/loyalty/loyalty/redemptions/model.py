"""Reservations of points, and what a sale's points tender does with one. Pure; mutates the Book given.

A reservation fixes points and money. A finished sale is never refused: what its reservation does not
allow is booked all the same and marked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from kit.errors import IdempotencyConflict
from kit.ids import derived_uuid
from loyalty.accounts.expiry import lapsed
from loyalty.accounts.model import Book, Cause, Source
from loyalty.days import local_day
from loyalty.errors import PointsNotRedeemable
from loyalty.programs.model import Program

HELD, DECLINED, RELEASED, REDEEMED, EXPIRED = "HELD", "DECLINED", "RELEASED", "REDEEMED", "EXPIRED"
OVER_HOLD, LATE, UNAUTHORISED = "OVER_HOLD", "LATE", "UNAUTHORISED"
VOIDED_THEN_SOLD = "VOIDED_THEN_SOLD"
MARKS = (OVER_HOLD, LATE, UNAUTHORISED, VOIDED_THEN_SOLD)


@dataclass(slots=True)
class Reservation:
    """A reservation; `value` in minor units, `fingerprint` and `origin` None until a Reserve came."""

    merchant_id: str
    reservation_id: str
    customer_id: str
    state: str
    points: int = 0
    value: int = 0
    program_version: int = 0
    decline_reason: str = ""
    fingerprint: bytes | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    purchase_id: str | None = None
    points_redeemed: int = 0
    origin: bytes | None = None
    recognised_by: int = 0
    release_origin: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Reserve request, decoded."""

    merchant_id: str
    reservation_id: str
    customer_id: str
    points: int
    hold_for: timedelta
    fingerprint: bytes
    origin: bytes
    recognised_by: int
    now: datetime


def reserve(book: Book, before: Reservation | None, wanted: Wanted, program: Program | None) -> Reservation:
    """Return the reservation that answers `wanted`: the first decision where there was one.

    Raises IDEMPOTENCY_CONFLICT for another content under the id, POINTS_NOT_REDEEMABLE.
    """
    if before is not None:
        foreign = before.customer_id != book.account.customer_id
        if foreign or (before.fingerprint is not None and before.fingerprint != wanted.fingerprint):
            raise IdempotencyConflict("reservation", wanted.reservation_id)
        if before.fingerprint is None:
            # A Release or a sale came first: from now on the id stands for this content.
            before.fingerprint, before.points = wanted.fingerprint, wanted.points
            before.origin, before.recognised_by = wanted.origin, wanted.recognised_by
        return before
    assert program is not None, "the caller has required a program"
    if not program.point_value:
        raise PointsNotRedeemable("points have no worth in the program in force; use another tender")
    today = local_day(wanted.now, book.account.time_zone)
    reason = _refusal(book, wanted.points, program, today)
    made = Reservation(
        merchant_id=wanted.merchant_id,
        reservation_id=wanted.reservation_id,
        customer_id=book.account.customer_id,
        state=DECLINED if reason else HELD,
        points=wanted.points,
        value=wanted.points * program.point_value,
        program_version=program.version,
        decline_reason=reason,
        fingerprint=wanted.fingerprint,
        created_at=wanted.now,
        expires_at=None if reason else wanted.now + wanted.hold_for,
        origin=wanted.origin,
        recognised_by=wanted.recognised_by,
    )
    if not reason:
        book.hold(wanted.points, wanted.reservation_id, today)
    return made


def _refusal(book: Book, points: int, program: Program, today: date) -> str:
    if book.account.erased_at is not None:
        return "CUSTOMER_ERASED"
    if points < program.min_redeem_points:
        return "BELOW_MINIMUM"
    usable = book.account.active - sum(lapsed(book, today).values())
    return "INSUFFICIENT_POINTS" if points > usable else ""


def release(
    book: Book,
    before: Reservation | None,
    merchant_id: str,
    reservation_id: str,
    origin: bytes,
    now: datetime,
) -> Reservation:
    """Return the reservation after a Release; an unknown one is remembered as released.

    Raises IDEMPOTENCY_CONFLICT when the id is another customer's.
    """
    customer_id = book.account.customer_id
    if before is None:
        return Reservation(
            merchant_id, reservation_id, customer_id, RELEASED, created_at=now, release_origin=origin
        )
    if before.customer_id != customer_id:
        raise IdempotencyConflict("reservation", reservation_id)
    if before.state == HELD:
        book.unhold(before.points, reservation_id)
        before.state, before.release_origin = RELEASED, origin
    return before


def lapse(book: Book, reservation: Reservation) -> None:
    """Give back what a held reservation holds: its time is over, and no sale with it is on its way."""
    assert reservation.state == HELD, "only what is held can lapse"
    book.unhold(reservation.points, reservation.reservation_id)
    reservation.state = EXPIRED


@dataclass(frozen=True, slots=True)
class PointsTender:
    """A points tender of a finished sale; `amount` in minor units."""

    tender_id: str
    reservation_id: str
    amount: int


@dataclass(slots=True)
class Redemption:
    """Points that a tender used, and what returns have left of them."""

    purchase_id: str
    tender_id: str
    reservation_id: str
    points: int
    left: int
    value: int
    sources: list[Source]
    expires_on: date | None
    program_version: int


@dataclass(frozen=True, slots=True)
class Marked:
    """A tender that was booked though its reservation did not allow it."""

    exception_id: str
    mark: str
    tender_id: str
    reservation_id: str
    points: int
    value: int


@dataclass(slots=True)
class Redeemed:
    """What redeeming a tender leads to."""

    redemption: Redemption | None
    reservation: Reservation | None
    marked: Marked | None
    points: int = field(default=0)


def redeem(
    book: Book,
    tender: PointsTender,
    before: Reservation | None,
    program: Program | None,
    purchase_id: str,
    at: datetime,
    today: date,
    *,
    offline: bool,
) -> Redeemed:
    """Book a points tender by the table of rules.md, whatever its reservation says."""
    account = book.account
    mine = before if before is not None and before.customer_id == account.customer_id else None
    points, mark = _measure(mine, tender, program)
    if before is None and offline and program is not None:
        # An offline sale may redeem so many without asking, as long as they are there.
        mark = "" if points <= min(program.max_offline_points, account.active) else mark
    promised = today
    if mine is not None and mine.state == HELD:
        book.unhold(mine.points, mine.reservation_id)
        if mine.created_at is not None:
            # It was made earlier: its points are used though their last day is past by now.
            promised = local_day(mine.created_at, account.time_zone)
    version = program.version if program else 0
    redemption = None
    if points:
        cause = Cause("PURCHASE", purchase_id, tender.tender_id, purchase_id)
        sources = book.take("REDEEM", points, cause, version, at, day=promised)
        fallback = program.expires_on(today) if program else None
        redemption = Redemption(
            purchase_id,
            tender.tender_id,
            tender.reservation_id,
            points,
            points,
            tender.amount,
            sources,
            fallback,
            version,
        )
    reservation = _used(book, before, mine, tender, purchase_id, points, at)
    marked = None
    if mark:
        exception_id = derived_uuid("redemption", account.merchant_id, purchase_id, tender.tender_id)
        marked = Marked(exception_id, mark, tender.tender_id, tender.reservation_id, points, tender.amount)
    return Redeemed(redemption, reservation, marked, points)


def _measure(mine: Reservation | None, tender: PointsTender, program: Program | None) -> tuple[int, str]:
    """Return the points that a tender costs, and its mark ("" when its reservation allows it)."""
    if mine is None or mine.state in (REDEEMED, DECLINED) or not mine.value:
        # Without a price of its own the tender costs what the program says now.
        known = mine is not None and mine.state == RELEASED
        points = program.points_for(tender.amount) if program else 0
        return points, VOIDED_THEN_SOLD if known else UNAUTHORISED
    # Rounded up: the points that remain are worth no more than the money that remains.
    points = -(-mine.points * tender.amount // mine.value)
    if mine.state == RELEASED:
        return points, VOIDED_THEN_SOLD
    if mine.state == EXPIRED:
        return points, LATE
    return points, OVER_HOLD if tender.amount > mine.value else ""


def _used(
    book: Book,
    before: Reservation | None,
    mine: Reservation | None,
    tender: PointsTender,
    purchase_id: str,
    points: int,
    at: datetime,
) -> Reservation | None:
    """Return the reservation as it is to be kept; None where it is another's or keeps its first use."""
    if before is None:
        # A Reserve that arrives later under this id must hold nothing.
        account = book.account
        mine = Reservation(
            account.merchant_id, tender.reservation_id, account.customer_id, REDEEMED, created_at=at
        )
    if mine is None or mine.state == DECLINED or mine.purchase_id is not None:
        return None
    mine.state, mine.purchase_id, mine.points_redeemed = REDEEMED, purchase_id, points
    return mine
