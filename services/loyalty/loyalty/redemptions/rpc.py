"""RedemptionService: decode, store, encode. Reserve and Release share batches between callers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import grpc.aio

from kit import db, paging
from kit.auth import caller
from kit.batch import Batcher, once
from kit.clock import Clock
from kit.fingerprint import fingerprint
from kit.ids import canonical_uuid, check_customer_id
from kit.money import Currency, to_money
from langganan.loyalty.v1 import redemptions_pb2 as pb
from langganan.loyalty.v1 import redemptions_pb2_grpc as rpc
from langganan.types.v1.origin_pb2 import RecognisedBy
from loyalty import origin
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Account
from loyalty.accounts.present import present
from loyalty.errors import ReservationNotFound
from loyalty.events import stamp
from loyalty.programs.codec import benefits_message
from loyalty.programs.store import Programs
from loyalty.purchases.decode import line_from
from loyalty.redemptions import exceptions
from loyalty.redemptions.model import Reservation, Wanted
from loyalty.redemptions.quote import quote
from loyalty.redemptions.say import say
from loyalty.redemptions.store import Freed, reservations_of

Context = grpc.aio.ServicerContext[Any, Any]


class RedemptionService(rpc.RedemptionServiceServicer):
    """Points at the till."""

    def __init__(
        self,
        pool: db.Pool,
        clock: Clock,
        programs: Programs,
        batcher: Batcher[Wanted | Freed, Reservation],
        hold_for: timedelta,
    ) -> None:
        self._pool, self._clock, self._programs = pool, clock, programs
        self._batcher, self._hold_for = batcher, hold_for

    async def Quote(self, request: pb.QuoteRequest, context: Context) -> pb.QuoteResponse:
        """What points and tier are worth for a basket; writes nothing."""
        merchant_id, asked = caller().merchant_id, check_customer_id(request.customer_id)
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as conn:
            program = (await self._programs.catalogue(conn, [merchant_id])).at(merchant_id, now)
            if program is None:
                return pb.QuoteResponse()
            standing = await present(conn, merchant_id, asked, now)
        account = standing.account if standing else Account(merchant_id, asked)
        active = standing.active if standing else 0
        lines = [line_from(line, program.currency) for line in request.lines]
        found = quote(account, active, program, lines, request.use_points)
        return pb.QuoteResponse(
            tier=found.tier,
            benefits=benefits_message(found.benefits),
            discount=to_money(found.discount, program.currency),
            active_points=found.active,
            usable_points=found.usable,
            usable_value=to_money(found.usable_value, program.currency),
            points_to_earn=found.to_earn,
            program_version=program.version,
        )

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> pb.ReserveResponse:
        """Hold points under the till's id."""
        customer_id = check_customer_id(request.customer_id)
        # What was asked, never our default: a changed setting must not make retries into conflicts.
        asked = request.hold_for.ToTimedelta() if request.HasField("hold_for") else None
        asked_ms = None if asked is None else asked // timedelta(milliseconds=1)
        wanted = Wanted(
            merchant_id=caller().merchant_id,
            reservation_id=canonical_uuid(request.reservation_id, "reservation_id"),
            customer_id=customer_id,
            points=request.points,
            hold_for=self._hold_for if asked is None else asked,
            fingerprint=fingerprint(1, customer_id, request.points, asked_ms),
            origin=origin.kept(request.origin),
            recognised_by=request.recognised_by,
            now=self._clock.now(),
        )
        return pb.ReserveResponse(reservation=await self._message(await self._batcher.submit(wanted)))

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        """Give held points back."""
        freed = Freed(
            caller().merchant_id,
            canonical_uuid(request.reservation_id, "reservation_id"),
            check_customer_id(request.customer_id),
            origin.kept(request.origin),
            self._clock.now(),
        )
        return pb.ReleaseResponse(reservation=await self._message(await self._batcher.submit(freed)))

    async def GetReservation(
        self, request: pb.GetReservationRequest, context: Context
    ) -> pb.GetReservationResponse:
        """A reservation as it stands; an absorbed customer's id finds the survivor's."""
        key = (caller().merchant_id, canonical_uuid(request.reservation_id, "reservation_id"))
        customer_id = check_customer_id(request.customer_id)
        async with self._pool.acquire(timeout=5) as conn:
            found = (await reservations_of(conn, [key])).get(key)
            books = await accounts.load(conn, [(key[0], customer_id)])
        owners = {customer_id} | {book.account.customer_id for book in books.values()}
        if found is None or found.customer_id not in owners:
            raise ReservationNotFound("the customer has no such reservation; check both ids")
        return pb.GetReservationResponse(reservation=await self._message(found))

    async def ListExceptions(
        self, request: pb.ListExceptionsRequest, context: Context
    ) -> pb.ListExceptionsResponse:
        """A page of exceptions, newest first."""
        merchant_id, size = caller().merchant_id, paging.page_size(request.page_size)
        if request.customer_id:
            check_customer_id(request.customer_id)
        filter_ = ("exceptions", merchant_id, request.customer_id, request.include_resolved)
        before = paging.before(request.page_token, *filter_) or (paging.END, paging.LAST_ID)
        async with self._pool.acquire(timeout=5) as conn:
            rows = await exceptions.page(
                conn, merchant_id, request.customer_id, request.include_resolved, before, size + 1
            )
        return pb.ListExceptionsResponse(
            exceptions=[_exception(row) for row in rows[:size]],
            next_page_token=paging.next_token(
                rows, size, lambda row: (row["occurred_at"], str(row["exception_id"])), *filter_
            ),
        )

    async def ResolveException(
        self, request: pb.ResolveExceptionRequest, context: Context
    ) -> pb.ResolveExceptionResponse:
        """Say how an exception was settled."""
        settled = exceptions.Settled(
            caller().merchant_id,
            canonical_uuid(request.request_id, "request_id"),
            canonical_uuid(request.exception_id, "exception_id"),
            pb.Resolution.Name(request.resolution).removeprefix("RESOLUTION_"),
            origin.kept(request.origin),
            self._clock.now(),
        )
        row = await once(self._pool, exceptions.resolve, settled)
        return pb.ResolveExceptionResponse(exception=_exception(row))

    async def _message(self, reservation: Reservation) -> pb.Reservation:
        """Return a reservation in the currency of the program that priced it."""
        message = pb.Reservation(
            reservation_id=reservation.reservation_id,
            customer_id=reservation.customer_id,
            state=pb.ReservationState.Value(f"RESERVATION_STATE_{reservation.state}"),
            points=reservation.points,
            decline_reason=pb.DeclineReason.Value(
                f"DECLINE_REASON_{reservation.decline_reason or 'UNSPECIFIED'}"
            ),
            say=say(reservation.decline_reason, caller().language),
            purchase_id=reservation.purchase_id or "",
            points_redeemed=reservation.points_redeemed,
            recognised_by=cast("RecognisedBy.ValueType", reservation.recognised_by),
        )
        if reservation.origin is not None:
            message.origin.MergeFromString(reservation.origin)
        if reservation.release_origin is not None:
            message.release_origin.MergeFromString(reservation.release_origin)
        if reservation.created_at is not None:
            message.created_at.CopyFrom(stamp(reservation.created_at))
        if reservation.expires_at is not None:
            message.expires_at.CopyFrom(stamp(reservation.expires_at))
        if reservation.program_version:
            currency = await self._currency(reservation)
            message.value.CopyFrom(to_money(reservation.value, currency))
        return message

    async def _currency(self, reservation: Reservation) -> Currency:
        program = self._programs.known(reservation.merchant_id, reservation.program_version)
        if program is None:
            async with self._pool.acquire(timeout=5) as conn:
                catalogue = await self._programs.catalogue(conn, [reservation.merchant_id])
            program = catalogue.version(reservation.merchant_id, reservation.program_version)
        assert program is not None, "programs are never deleted"
        return program.currency


def _exception(row: exceptions.Row) -> pb.RedemptionException:
    message = pb.RedemptionException(
        exception_id=str(row["exception_id"]),
        mark=pb.ExceptionMark.Value(f"EXCEPTION_MARK_{row['mark']}"),
        customer_id=row["customer_id"],
        purchase_id=str(row["purchase_id"]),
        tender_id=row["tender_id"],
        reservation_id=str(row["reservation_id"]),
        points=row["points"],
        value=to_money(row["value"], Currency(row["currency_code"], row["minor_digits"])),
        occurred_at=stamp(row["occurred_at"]),
        resolution=pb.Resolution.Value(f"RESOLUTION_{row['resolution'] or 'UNSPECIFIED'}"),
    )
    if row["resolved_at"] is not None:
        message.resolved_at.CopyFrom(stamp(row["resolved_at"]))
    return message
