"""The only code that writes people, sealed fields, addresses and what is pending, in the vault's database."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from customers.errors import CustomerNotFound, EtagMismatch
from customers.vault import pending as pendings
from customers.vault.pending import Ended, Pending, touch
from customers.vault.seal import PersonKey, Token
from kit import db
from kit.errors import Aborted

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class SealedPoint:
    """An address that a customer is to hold, sealed and indexed."""

    channel: str
    token: Token
    sealed: bytes
    shared: bool
    verified_at: datetime | None
    valid_from: datetime | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a write puts into the vault; None leaves that part as it is. Empty sealed values clear a field."""

    fields: Mapping[str, bytes | None]
    points: Sequence[SealedPoint] | None
    search: Mapping[str, Sequence[Token]]


@dataclass(frozen=True, slots=True)
class Write:
    """A registration or an update: what to seal here, and the neutral change for the customers database.

    `person` carries the new key at registration. `etag` "" is whatever it is now.
    """

    kind: str
    request_id: str
    fingerprint: bytes
    index_version: int
    person: PersonKey
    contents: Contents
    change: Mapping[str, Any]
    take_over: bool
    now: datetime
    etag: str = ""

    @property
    def creates(self) -> bool:
        """Whether the customer is new: nothing of them is there to be replaced."""
        return self.kind == "CREATE"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A write that was done before."""

    customer_id: str
    index_version: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """The customer, and all that is pending of those the write touched. `before`: it was done already."""

    customer_id: str
    pending: list[Pending]
    before: Remembered | None = None


class Held(Exception):
    """Addresses have other holders and the caller does not take over: (channel, holder's customer_id)."""

    def __init__(self, channel: str, customer_id: str) -> None:
        super().__init__(channel)
        self.channel, self.customer_id = channel, customer_id


async def write_all(conn: db.Conn, writes: Sequence[Write], wait: bool) -> list[Written]:
    """Register or update, each once for its request_id."""
    del wait
    return [await _write(conn, w) for w in writes]


async def _write(conn: db.Conn, w: Write) -> Written:
    merchant_id, customer_id = w.person.merchant_id, w.person.customer_id
    fresh = await queries.remember_request(
        conn,
        merchant_id=merchant_id,
        kind=w.kind,
        request_id=w.request_id,
        customer_id=customer_id,
        index_version=w.index_version,
        fingerprint=w.fingerprint,
    )
    if fresh is None:
        before = await find_request(conn, merchant_id, w.kind, w.request_id)
        if before is None:
            raise Aborted("the request was withdrawn just now; repeat it with the same id")
        return await _again(conn, w, before)
    released = await _make_way(conn, w)
    version, there = await _version(conn, w, list(released))
    # A holder who was erased while we waited for the lock gives nothing up any more.
    released = {customer_id: tokens for customer_id, tokens in released.items() if customer_id in there}
    ended = await _release(conn, w, released) if released else {}
    if w.creates:
        change = {**w.change, **_undo(w, ended)}
        await _insert(conn, w, json.dumps(change))
        if not released:
            return Written(customer_id, [Pending(merchant_id, customer_id, version, change)])
    else:
        await _put(conn, w)
        await queries.add_pending(
            conn,
            merchant_id=merchant_id,
            customer_id=customer_id,
            version=version,
            change=json.dumps(w.change),
        )
    return Written(customer_id, await touch(conn, merchant_id, [customer_id, *released]))


async def _again(conn: db.Conn, w: Write, before: Remembered) -> Written:
    """The same request once more: its customer, and what of it may still be pending.

    Touching waits for a sweep that withdraws the registration; then nothing is left of it.
    """
    merchant_id = w.person.merchant_id
    pending = await touch(conn, merchant_id, [before.customer_id])
    if w.creates and not pending:
        rows = queries.lock_people(conn, merchant_id=merchant_id, customer_ids=[before.customer_id])
        if not [row async for row in rows]:
            raise Aborted("the registration was withdrawn just now; repeat it with the same id")
    return Written(before.customer_id, pending, before)


async def _version(conn: db.Conn, w: Write, others: Sequence[str]) -> tuple[int, Collection[str]]:
    """Lock our own row and those of `others`, in id order; return the version that this write makes, and
    who was there to be locked.
    """
    person = w.person
    locked: dict[str, int] = {}
    if others or not w.creates:
        rows = queries.lock_people(
            conn, merchant_id=person.merchant_id, customer_ids=[person.customer_id, *others]
        )
        locked = {row["customer_id"]: row["version"] async for row in rows}
    if w.creates:
        return 1, locked
    if person.customer_id not in locked:
        raise CustomerNotFound(person.customer_id)
    now_at = str(locked[person.customer_id])
    if w.etag and w.etag != now_at:
        raise EtagMismatch(now_at)
    version: int = await queries.bump_version(
        conn, merchant_id=person.merchant_id, customer_id=person.customer_id
    )
    return version, locked


async def _make_way(conn: db.Conn, w: Write) -> dict[str, list[bytes]]:
    """Lock the addresses; return the tokens (under every key) that other holders give up, or raise Held."""
    if not w.contents.points:
        return {}
    await queries.lock_tokens(conn, locks=sorted({p.token.lock for p in w.contents.points}))
    by_token = {t: p for p in w.contents.points for t in p.token.every}
    rows = [
        row
        async for row in queries.holders(
            conn, merchant_id=w.person.merchant_id, tokens=list(by_token), customer_id=w.person.customer_id
        )
    ]
    released: dict[str, list[bytes]] = {}
    for row in rows:
        point = by_token[row["token"]]
        if row["shared"] and point.shared:
            continue
        if not w.take_over:
            raise Held(point.channel, row["customer_id"])
        released.setdefault(row["customer_id"], []).extend(point.token.every)
    return released


async def _release(conn: db.Conn, w: Write, released: Mapping[str, list[bytes]]) -> dict[str, Ended]:
    """End the addresses that others give up, and the consents for them; they learn it as an update."""
    merchant_id = w.person.merchant_id
    ours = {t: p.token.current.hex() for p in w.contents.points or () for t in p.token.every}
    ended: dict[str, Ended] = {}
    for customer_id, tokens in sorted(released.items()):
        key: dict[str, Any] = {"merchant_id": merchant_id, "customer_id": customer_id, "tokens": tokens}
        ended[customer_id] = {
            "points": [
                (row["point_id"], ours[row["token"]])
                async for row in queries.release_points(conn, now=w.now, **key)
            ],
            "consents": [
                (row["seq"], ours[row["token"]])
                async for row in queries.release_consents(conn, now=w.now, **key)
            ],
        }
        await queries.release_index(conn, **key)
        await pendings.add(conn, merchant_id, customer_id, w.now.isoformat(), ["contact_points"])
    return ended


def _undo(w: Write, ended: Mapping[str, Ended]) -> dict[str, Any]:
    """What `pending.withdraw` needs of a registration: the locks of its addresses, and what it took over."""
    return {"locks": sorted({p.token.lock for p in w.contents.points or ()}), "ended": ended}


async def _insert(conn: db.Conn, w: Write, change: str) -> None:
    """Write a new customer whole. contact_index_one_holder is the last word on a single holder."""
    person, points = w.person, w.contents.points or ()
    kept = {name: value for name, value in w.contents.fields.items() if value is not None}
    held = _held(points)
    searched = [t for tokens in w.contents.search.values() for t in tokens]
    await queries.insert_person(
        conn,
        merchant_id=person.merchant_id,
        customer_id=person.customer_id,
        key_version=person.key_version,
        kek_id=person.kek_id,
        wrapped_key=person.wrapped,
        index_version=w.index_version,
        fields=list(kept),
        field_values=list(kept.values()),
        held_kinds=[kind for kind, _ in held],
        held_tokens=[token for _, token in held],
        held_shared=list(held.values()),
        search_kinds=[t.kind for t in searched],
        search_tokens=[t.current for t in searched],
        change=change,
        **_columns(w, list(enumerate(points))),
    )


def _columns(w: Write, points: Sequence[tuple[int, SealedPoint]]) -> dict[str, Any]:
    return {
        "positions": [n for n, _ in points],
        "channels": [p.channel for _, p in points],
        "tokens": [p.token.current for _, p in points],
        "sealed": [p.sealed for _, p in points],
        "shared": [p.shared for _, p in points],
        "verified_at": [p.verified_at for _, p in points],
        "valid_from": [min(p.valid_from or w.now, w.now) for _, p in points],
    }


def _held(points: Sequence[SealedPoint]) -> dict[tuple[str, bytes], bool]:
    """Entries of the index. Phone and WhatsApp may share a number: one entry, shared only when both are."""
    held: dict[tuple[str, bytes], bool] = {}
    for point in points:
        place = (point.token.kind, point.token.current)
        held[place] = held.get(place, True) and point.shared
    return held


async def _put(conn: db.Conn, w: Write) -> None:
    """Replace what an update names."""
    key: dict[str, Any] = {"merchant_id": w.person.merchant_id, "customer_id": w.person.customer_id}
    kept = {name: value for name, value in w.contents.fields.items() if value is not None}
    dropped = [name for name, value in w.contents.fields.items() if value is None]
    if kept:
        await queries.put_fields(
            conn, key_version=w.person.key_version, fields=list(kept), sealed=list(kept.values()), **key
        )
    if dropped:
        await queries.drop_fields(conn, fields=dropped, **key)
    if w.contents.points is not None:
        await _put_points(conn, w, w.contents.points, key)
    if w.contents.search:
        await queries.clear_search_index(conn, kinds=list(w.contents.search), **key)
        tokens = [t for tokens in w.contents.search.values() for t in tokens]
        await queries.put_search_index(
            conn,
            kinds=[t.kind for t in tokens],
            tokens=[t.current for t in tokens],
            index_version=w.index_version,
            **key,
        )


async def _put_points(conn: db.Conn, w: Write, points: Sequence[SealedPoint], key: Mapping[str, Any]) -> None:
    """Make `points` the live addresses: those that stay keep their row, those left out end now."""
    live = _by_address([row async for row in queries.live_points(conn, **key)])
    kept: list[tuple[int, int, bool, datetime | None]] = []
    fresh: list[tuple[int, SealedPoint]] = []
    for position, point in enumerate(points):
        row = next(
            (live.pop((point.channel, t)) for t in point.token.every if (point.channel, t) in live), None
        )
        if row is None:
            fresh.append((position, point))
        else:
            kept.append((row, position, point.shared, point.verified_at))
    if live:
        await queries.end_points(conn, point_ids=list(live.values()), now=w.now, **key)
    if kept:
        ids, positions, shared, verified = map(list, zip(*kept, strict=True))
        await queries.keep_points(
            conn, point_ids=ids, positions=positions, shared=shared, verified_at=verified, **key
        )
    if fresh:
        await queries.insert_points(
            conn,
            index_version=w.index_version,
            key_version=w.person.key_version,
            **_columns(w, fresh),
            **key,
        )
    held = _held(points)
    await queries.clear_contact_index(conn, **key)
    await queries.put_contact_index(
        conn,
        kinds=[kind for kind, _ in held],
        tokens=[token for _, token in held],
        shared=list(held.values()),
        index_version=w.index_version,
        **key,
    )


def _by_address(rows: Sequence[asyncpg.Record]) -> dict[tuple[str, bytes], int]:
    return {(r["channel"], r["token"]): r["point_id"] for r in rows}


async def find_request(conn: db.Conn, merchant_id: str, kind: str, request_id: str) -> Remembered | None:
    """Return a write that was done before."""
    row = await queries.remembered(conn, merchant_id=merchant_id, kind=kind, request_id=request_id)
    return None if row is None else Remembered(row["customer_id"], row["index_version"], row["fingerprint"])
