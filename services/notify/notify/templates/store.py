"""The only code that reads and writes merchants' own texts. A version is appended and never changes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import db
from kit.errors import IdempotencyConflict
from notify.templates import catalogue

_queries = db.load(__file__)
# The product's versions lie below; so a stored message names either with one number.
FIRST_OWN = 1001
_NEWEST = 2**31 - 1

Name = tuple[str, str]
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class OwnVersion:
    """A merchant's own text by language: the subject, a line end, the body."""

    merchant_id: str
    template: str
    version: int
    based_on: int
    texts: Mapping[str, str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to append."""

    merchant_id: str
    template: str
    based_on: int
    texts: Mapping[str, str]
    request_id: str
    fingerprint: bytes
    now: datetime


def _own(row: Any) -> OwnVersion:
    return OwnVersion(
        row["merchant_id"],
        row["template"],
        row["version"],
        row["based_on"],
        json.loads(row["texts"]),
        row["created_at"],
    )


async def in_force(conn: db.Conn, names: Collection[Name]) -> dict[Name, int]:
    """Return the version that messages of each (merchant, template) are made with now."""
    rows = _queries.own_in_force(conn, merchant_ids=[m for m, _ in names], templates=[t for _, t in names])
    own = {(r["merchant_id"], r["template"]): r["version"] async for r in rows}
    return {name: own.get(name) or catalogue.newest(name[1]).version for name in names}


async def read(conn: db.Conn, keys: Iterable[Key]) -> dict[Key, OwnVersion]:
    """Return own versions; absent: not there."""
    wanted = sorted(set(keys))
    rows = _queries.own_versions(
        conn,
        merchant_ids=[m for m, _, _ in wanted],
        templates=[t for _, t, _ in wanted],
        versions=[v for _, _, v in wanted],
    )
    found = [_own(row) async for row in rows]
    return {(o.merchant_id, o.template, o.version): o for o in found}


async def page(
    conn: db.Conn, merchant_id: str, template: str, before: int | None, limit: int
) -> list[OwnVersion]:
    """Return up to `limit` own versions older than `before`, newest first."""
    rows = _queries.list_versions(
        conn, merchant_id=merchant_id, template=template, before=before or _NEWEST, limit=limit
    )
    return [_own(row) async for row in rows]


async def append_all(
    conn: db.Conn, versions: Sequence[NewVersion], wait: bool
) -> list[OwnVersion | Exception]:
    """Append versions, each once for its request_id."""
    del wait  # not batched: kit.batch.once always waits
    return [await _append(conn, new) for new in versions]


async def _append(conn: db.Conn, new: NewVersion) -> OwnVersion | Exception:
    key = {"merchant_id": new.merchant_id}
    await _queries.lock_template(conn, template=new.template, **key)
    before = await _queries.version_of_request(conn, request_id=new.request_id, **key)
    if before is not None:
        if before["fingerprint"] != new.fingerprint:
            return IdempotencyConflict("request_id", new.request_id)
        return _own(before)
    return _own(
        await _queries.insert_version(
            conn,
            template=new.template,
            based_on=new.based_on,
            texts=json.dumps(new.texts),
            request_id=new.request_id,
            fingerprint=new.fingerprint,
            created_at=new.now,
            **key,
        )
    )
