"""The only code that reads what is sealed, and the access log that is written before an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from customers.vault.seal import PersonKey, Token
from kit import db

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """A customer's wrapped key, version and some sealed fields."""

    key: PersonKey
    version: int
    fields: dict[str, bytes]


async def read_people(
    conn: db.Conn, wanted: Sequence[tuple[str, str]], fields: Sequence[str]
) -> dict[tuple[str, str], SealedPerson]:
    """Return people by (merchant_id, customer_id) with the sealed fields asked for; absent: not there."""
    rows = [
        row
        async for row in queries.people(
            conn, merchants=[m for m, _ in wanted], customers=[c for _, c in wanted], fields=list(fields)
        )
    ]
    return {(r["merchant_id"], r["customer_id"]): _person(r) for r in rows}


def _person(row: asyncpg.Record) -> SealedPerson:
    key = PersonKey(
        row["merchant_id"], row["customer_id"], row["key_version"], row["kek_id"], row["wrapped_key"]
    )
    return SealedPerson(key, row["version"], dict(zip(row["names"] or (), row["sealed"] or (), strict=True)))


@dataclass(frozen=True, slots=True)
class PointRow:
    """An address as it lies in the vault."""

    channel: str
    sealed: bytes
    shared: bool
    verified_at: datetime | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads personal data."""

    merchant_id: str
    subject: str
    store_id: str = ""
    register_id: str = ""
    staff_ref: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """One read of personal data: who, whom, why; `asked`: how many requests it stands for."""

    reader: Reader
    customer_ids: Sequence[str]
    reason: str = ""
    asked: int = 1


async def read_profile(
    conn: db.Conn, customer_id: str, who: Reader, action: str, reason: str
) -> tuple[SealedPerson, list[PointRow]] | None:
    """Return a customer whole, logged, with all addresses, those that ended last; None: not there."""
    row = await queries.profile(
        conn,
        merchant_id=who.merchant_id,
        customer_id=customer_id,
        subject=who.subject,
        store_id=who.store_id,
        register_id=who.register_id,
        staff_ref=who.staff_ref,
        action=action,
        reason=reason,
    )
    return None if row is None else (_person(row), [PointRow(*point) for point in row["points"]])


async def log_access(conn: db.Conn, action: str, accesses: Sequence[Access]) -> None:
    """Write to the access log, before the answer."""
    readers = [a.reader for a in accesses]
    pairs = [(no, c) for no, a in enumerate(accesses, 1) for c in a.customer_ids]
    await queries.log_access(
        conn,
        action=action,
        merchants=[r.merchant_id for r in readers],
        subjects=[r.subject for r in readers],
        stores=[r.store_id for r in readers],
        registers=[r.register_id for r in readers],
        staff=[r.staff_ref for r in readers],
        reasons=[a.reason for a in accesses],
        asked=[a.asked for a in accesses],
        nos=[no for no, _ in pairs],
        customers=[c for _, c in pairs],
    )


async def find_holders(
    conn: db.Conn, asked: Sequence[tuple[int, str, Token]], most: int
) -> list[tuple[int, str]]:
    """Return (no, customer_id) of who holds addresses: asked are (no, merchant_id, token)."""
    spread = [(no, merchant_id, t.kind, value) for no, merchant_id, t in asked for value in t.every]
    rows = [
        row
        async for row in queries.find_holders(
            conn,
            nos=[s[0] for s in spread],
            merchants=[s[1] for s in spread],
            kinds=[s[2] for s in spread],
            tokens=[s[3] for s in spread],
            most=most,
        )
    ]
    return sorted({(r["no"], r["customer_id"]) for r in rows})


# (merchant_id, store_id, register_id); the caller stands in for a register that is not named.
Register = tuple[str, str, str]


async def misses(
    conn: db.Conn, registers: Sequence[Register], windows: Sequence[int]
) -> dict[tuple[Register, int], int]:
    """Return the misses of registers by the start of a window."""
    rows = [
        row
        async for row in queries.misses(
            conn,
            merchants=[r[0] for r in registers],
            stores=[r[1] for r in registers],
            registers=[r[2] for r in registers],
            windows=list(windows),
        )
    ]
    return {
        ((r["merchant_id"], r["store_id"], r["register_id"]), r["window_start"]): r["misses"] for r in rows
    }


async def add_misses(conn: db.Conn, counted: Mapping[Register, int], window_start: int) -> None:
    """Count misses of registers in a window."""
    await queries.add_misses(
        conn,
        merchants=[r[0] for r in counted],
        stores=[r[1] for r in counted],
        registers=[r[2] for r in counted],
        misses=list(counted.values()),
        window_start=window_start,
    )


async def forget_misses(conn: db.Conn, before: int) -> None:
    """Drop the windows that began before."""
    await queries.forget_misses(conn, window_start=before)
