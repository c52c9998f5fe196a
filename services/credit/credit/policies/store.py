"""The only SQL of policies, and this process's copy of compiled versions, which never change.

Which version is in force is asked of the database each time, so a new one counts at once in every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from google.protobuf import json_format

from credit.accounts.encode import stamp
from credit.policies import codec
from credit.policies.codec import Installed
from credit.policies.model import Policy
from kit import db
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint
from kit.rpc.times import instant
from langganan.credit.v1 import policies_pb2 as pb

queries = db.load(__file__)
_KNOWN_MAX = 50_000


class Named(NamedTuple):
    """What names a version; 0 is the default."""

    merchant_id: str
    version: int


class Policies:
    """Reads policies; compiled versions are kept."""

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        self.default = codec.default()
        self._known: dict[Named, Policy] = {}

    async def of(self, conn: db.Conn, merchant_id: str, at: datetime) -> Policy:
        """Return the policy that decides for a merchant at an instant."""
        return (await self.at(conn, [merchant_id], at))[merchant_id]

    async def at(self, conn: db.Conn, merchant_ids: Iterable[str], at: datetime) -> dict[str, Policy]:
        """Return the policies that decide for merchants at an instant."""
        wanted = sorted(merchant_ids)
        rows = queries.in_force(conn, merchants=wanted, at=at)
        return await self.versions(
            conn, dict.fromkeys(wanted, 0) | {r["merchant_id"]: r["version"] async for r in rows}
        )

    async def every(self, conn: db.Conn, at: datetime) -> dict[str, Policy]:
        """Return the policies that decide at an instant, of all merchants that have one."""
        rows = queries.every_in_force(conn, at=at)
        return await self.versions(conn, {r["merchant_id"]: r["version"] async for r in rows})

    async def versions(self, conn: db.Conn, wanted: Mapping[str, int]) -> dict[str, Policy]:
        """Return a version of each merchant; the database is asked for what this process has not seen yet."""
        if len(self._known) > _KNOWN_MAX:
            self._known.clear()
        found: dict[str, Policy] = {}
        unknown: list[Named] = []
        for name in map(Named._make, wanted.items()):
            known = self._known.get(name) if name.version else self.default
            if known is None:
                unknown.append(name)
            else:
                found[name.merchant_id] = known
        if unknown:
            for name, message in (await read(conn, unknown)).items():
                found[name.merchant_id] = self._known[name] = codec.compiled(message, self.installed)
        return found


async def in_force(conn: db.Conn, merchant_id: str, at: datetime) -> int:
    """Return the version that decides for a merchant at an instant; 0: the default."""
    rows = [row async for row in queries.in_force(conn, merchants=[merchant_id], at=at)]
    return int(rows[0]["version"]) if rows else 0


async def newest(conn: db.Conn, merchant_id: str) -> int:
    """Return a merchant's newest version, in force or not; 0: none was ever set."""
    return int(await queries.newest(conn, merchant_id=merchant_id) or 0)


async def read(conn: db.Conn, names: Iterable[Named]) -> dict[Named, pb.Policy]:
    """Return versions as they are kept, those that exist."""
    wanted = list(names)
    rows = queries.contents(
        conn, merchants=[n.merchant_id for n in wanted], versions=[n.version for n in wanted]
    )
    return {
        Named(row["merchant_id"], row["version"]): json_format.Parse(
            row["content"], pb.Policy(), ignore_unknown_fields=True
        )
        async for row in rows
    }


@dataclass(frozen=True, slots=True)
class Wish:
    """SetPolicy, checked: `policy` is in its normal form."""

    merchant_id: str
    request_id: str
    policy: pb.Policy
    at: datetime


async def keep(conn: db.Conn, wishes: Sequence[Wish], wait: bool) -> list[pb.Policy]:
    """Keep a policy (a list of one) as the merchant's next version, or answer what its request id set."""
    del wait  # SetPolicy is rare: it always waits for the merchant's head row
    (wish,) = wishes
    mark = fingerprint(1, *codec.business_fields(wish.policy))
    # Lock the merchant's head first: two requests under one id see each other.
    await queries.lock_head(conn, merchant_id=wish.merchant_id)
    before = await queries.by_request(conn, merchant_id=wish.merchant_id, request_id=wish.request_id)
    if before is not None:
        if before["fingerprint"] != mark:
            raise IdempotencyConflict("policy request", wish.request_id)
        name = Named(wish.merchant_id, before["version"])
        return [(await read(conn, [name]))[name]]
    made = pb.Policy()
    made.CopyFrom(wish.policy)
    if not made.HasField("effective_from"):
        made.effective_from.CopyFrom(stamp(wish.at))
    made.set_at.CopyFrom(stamp(wish.at))
    made.version = await queries.next_version(conn, merchant_id=wish.merchant_id)
    await queries.add(
        conn,
        merchant_id=wish.merchant_id,
        version=made.version,
        request_id=wish.request_id,
        fingerprint=mark,
        effective_from=instant(made.effective_from, "policy.effective_from"),
        set_at=wish.at,
        content=json_format.MessageToJson(made, indent=None),
    )
    return [made]
