"""The only SQL of programs, and this process's copy of the versions, which never change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf import json_format

from kit import db
from kit.batch import LockedType
from kit.db import Conn
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint
from kit.plugins import Registry
from langganan.loyalty.v1 import programs_pb2 as pb
from loyalty.errors import ProgramNotSet
from loyalty.events import stamp
from loyalty.programs.codec import business_fields, compile_program
from loyalty.programs.model import Program, in_force

_queries = db.load(__file__)
_CACHE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The programs of some merchants, as of one statement."""

    programs: dict[str, list[Program]]
    messages: dict[tuple[str, int], pb.Program]

    def at(self, merchant_id: str, instant: datetime) -> Program | None:
        """Return the program that decides for a merchant at an instant."""
        return in_force(self.programs.get(merchant_id, ()), instant)

    def version(self, merchant_id: str, version: int) -> Program | None:
        """Return one version."""
        return next((p for p in self.programs.get(merchant_id, ()) if p.version == version), None)

    def require(self, merchant_id: str, instant: datetime) -> Program:
        """Return the program that decides, or raise PROGRAM_NOT_SET."""
        program = self.at(merchant_id, instant)
        if program is None:
            raise ProgramNotSet
        return program


@dataclass(frozen=True, slots=True)
class SetRequest:
    """SetProgram, checked: `program` is in its normal form."""

    merchant_id: str
    request_id: str
    program: pb.Program
    now: datetime


class Programs:
    """Reads and writes programs; compiled versions are kept, for they are immutable."""

    def __init__(self, earning: Registry, tiers: Registry) -> None:
        self.earning, self.tiers = earning, tiers
        self._known: dict[tuple[str, int], tuple[Program, pb.Program]] = {}

    async def catalogue(self, conn: Conn, merchant_ids: Iterable[str]) -> Catalogue:
        """Return the programs of these merchants."""
        rows = _queries.versions(conn, merchant_ids=sorted(set(merchant_ids)))
        return await self.of(conn, [(row["merchant_id"], row["version"]) async for row in rows])

    async def of(self, conn: Conn, keys: Sequence[tuple[str, int]]) -> Catalogue:
        """Return these (merchant, version), all that the merchants have at present."""
        if len(self._known) > _CACHE_MAX:
            self._known.clear()
        known = {key: self._known[key] for key in keys if key in self._known}
        known |= await self._learn(conn, [key for key in keys if key not in known])
        found: dict[str, list[Program]] = {}
        for key in keys:
            found.setdefault(key[0], []).append(known[key][0])
        return Catalogue(found, {key: known[key][1] for key in keys})

    def known(self, merchant_id: str, version: int) -> Program | None:
        """Return a version if this process has it."""
        found = self._known.get((merchant_id, version))
        return found[0] if found else None

    async def _learn(
        self, conn: Conn, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], tuple[Program, pb.Program]]:
        learnt: dict[tuple[str, int], tuple[Program, pb.Program]] = {}
        if not keys:
            return learnt
        rows = _queries.contents(
            conn, merchant_ids=[key[0] for key in keys], versions=[key[1] for key in keys]
        )
        async for row in rows:
            message = json_format.Parse(row["content"], pb.Program(), ignore_unknown_fields=True)
            compiled = compile_program(message, self.earning, self.tiers, strict=False)
            learnt[row["merchant_id"], row["version"]] = (compiled, message)
        self._known |= learnt
        return learnt

    async def set(
        self, conn: Conn, requests: Sequence[SetRequest], wait: bool
    ) -> list[pb.Program | Exception | LockedType]:
        """Keep each program as the merchant's next version, or answer what its request_id set before."""
        del wait  # SetProgram is rare: it always waits for the merchant's head row
        return [await self._set(conn, request) for request in requests]

    async def _set(self, conn: Conn, request: SetRequest) -> pb.Program | Exception:
        merchant_id = request.merchant_id
        asked = pb.Program()
        asked.CopyFrom(request.program)
        asked.ClearField("version")
        asked.ClearField("set_at")
        mark = fingerprint(1, business_fields(asked))
        # Lock the merchant's head first: two requests under one id see each other.
        await _queries.lock_head(conn, merchant_id=merchant_id)
        before = await _queries.by_request(conn, merchant_id=merchant_id, request_id=request.request_id)
        if before is not None:
            if before["fingerprint"] != mark:
                return IdempotencyConflict("program request", request.request_id)
            catalogue = await self.catalogue(conn, [merchant_id])
            return catalogue.messages[merchant_id, before["version"]]
        if not asked.HasField("effective_from"):
            asked.effective_from.CopyFrom(stamp(request.now))
        asked.set_at.CopyFrom(stamp(request.now))
        asked.version = await _queries.next_version(conn, merchant_id=merchant_id)
        compiled = compile_program(asked, self.earning, self.tiers, strict=True)
        await _queries.insert_program(
            conn,
            merchant_id=merchant_id,
            version=asked.version,
            request_id=request.request_id,
            fingerprint=mark,
            effective_from=compiled.effective_from,
            set_at=request.now,
            content=json_format.MessageToJson(asked, indent=None),
        )
        return asked
