"""ProgramService: decode, store, encode."""

from __future__ import annotations

from typing import Any

import grpc.aio

from kit import db, plugins
from kit.auth import caller
from kit.batch import once
from kit.clock import Clock
from kit.ids import canonical_uuid
from langganan.loyalty.v1 import programs_pb2 as pb
from langganan.loyalty.v1 import programs_pb2_grpc as rpc
from loyalty.errors import ProgramNotFound
from loyalty.programs.codec import compile_program, normal
from loyalty.programs.store import Programs, SetRequest

Context = grpc.aio.ServicerContext[Any, Any]


class ProgramService(rpc.ProgramServiceServicer):
    """Programs and the plugins that they may choose."""

    def __init__(self, pool: db.Pool, clock: Clock, programs: Programs) -> None:
        self._pool, self._clock, self._programs = pool, clock, programs

    async def GetProgram(self, request: pb.GetProgramRequest, context: Context) -> pb.GetProgramResponse:
        """The program in force, a version, or the newest."""
        merchant_id = caller().merchant_id
        async with self._pool.acquire(timeout=5) as conn:
            catalogue = await self._programs.catalogue(conn, [merchant_id])
        if request.version:
            found = catalogue.version(merchant_id, request.version)
        elif request.newest:
            found = max(catalogue.programs.get(merchant_id, []), key=lambda p: p.version, default=None)
        else:
            found = catalogue.at(merchant_id, self._clock.now())
        if found is None:
            raise ProgramNotFound("there is no such program; set one with SetProgram")
        return pb.GetProgramResponse(program=catalogue.messages[merchant_id, found.version])

    async def SetProgram(self, request: pb.SetProgramRequest, context: Context) -> pb.SetProgramResponse:
        """Keep a new version."""
        canonical_uuid(request.request_id, "request_id")
        program = normal(request.program)
        compile_program(program, self._programs.earning, self._programs.tiers, strict=True)
        wanted = SetRequest(caller().merchant_id, request.request_id, program, self._clock.now())
        return pb.SetProgramResponse(program=await once(self._pool, self._programs.set, wanted))

    async def ListPlugins(self, request: pb.ListPluginsRequest, context: Context) -> pb.ListPluginsResponse:
        """The installed plugins."""
        kinds = (
            (pb.PLUGIN_KIND_EARNING, self._programs.earning),
            (pb.PLUGIN_KIND_TIER, self._programs.tiers),
        )
        return pb.ListPluginsResponse(
            plugins=[
                pb.Plugin(kind=kind, **each._asdict())
                for kind, registry in kinds
                for each in plugins.described(registry)
            ]
        )
