"""TierService: decode, store, encode."""

from __future__ import annotations

from typing import Any

import grpc.aio

from kit import db, neutral
from kit.auth import caller
from kit.batch import once
from kit.clock import Clock
from kit.ids import canonical_uuid, check_customer_id
from kit.rpc.times import instant
from langganan.loyalty.v1 import programs_pb2
from langganan.loyalty.v1 import tiers_pb2 as pb
from langganan.loyalty.v1 import tiers_pb2_grpc as rpc
from loyalty import origin
from loyalty.programs.codec import benefits_message
from loyalty.programs.store import Programs
from loyalty.tiers.standing import standing_of
from loyalty.tiers.store import Pin, Pins

Context = grpc.aio.ServicerContext[Any, Any]


class TierService(rpc.TierServiceServicer):
    """Tiers: what they give, and who is pinned to one."""

    def __init__(self, pool: db.Pool, clock: Clock, programs: Programs) -> None:
        self._pool, self._clock, self._programs = pool, clock, programs
        self._pins = Pins(programs)

    async def SetTier(self, request: pb.SetTierRequest, context: Context) -> pb.SetTierResponse:
        """Pin a customer to a tier, or end the pin."""
        merchant_id, now = caller().merchant_id, self._clock.now()
        neutral.refuse(reason=request.reason)
        pin = Pin(
            merchant_id,
            canonical_uuid(request.request_id, "request_id"),
            check_customer_id(request.customer_id),
            request.tier,
            instant(request.until, "until") if request.HasField("until") else None,
            request.reason,
            origin.kept(request.origin),
            now,
        )
        account = await once(self._pool, self._pins.pin, pin)
        async with self._pool.acquire(timeout=5) as conn:
            program = (await self._programs.catalogue(conn, [merchant_id])).at(merchant_id, now)
            standing = await standing_of(conn, account, program, now)
        return pb.SetTierResponse(standing=standing)

    async def ListTiers(self, request: pb.ListTiersRequest, context: Context) -> pb.ListTiersResponse:
        """The tiers of the program in force."""
        merchant_id = caller().merchant_id
        async with self._pool.acquire(timeout=5) as conn:
            catalogue = await self._programs.catalogue(conn, [merchant_id])
        program = catalogue.require(merchant_id, self._clock.now())
        tiers = [
            programs_pb2.Tier(name=name, benefits=benefits_message(benefits))
            for name, benefits in zip(program.tiers, program.benefits, strict=True)
        ]
        return pb.ListTiersResponse(tiers=tiers, program_version=program.version)
