"""The only code that reads and writes allowances, and what they cache of their uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from credit.accounts.model import Key
from credit.allowances.model import Allowance, AllowanceKey, Kind, Use
from credit.holds.model import HoldKey
from credit.invoices import store as invoices
from credit.invoices.model import Invoice, Mark
from credit.pages import Before
from kit import db
from kit.money import Currency

queries = db.load(__file__)


def _columns(keys: Iterable[AllowanceKey]) -> dict[str, list[str]]:
    ordered = sorted(set(keys))
    return {"merchants": [k.merchant_id for k in ordered], "allowance_ids": [k.allowance_id for k in ordered]}


async def grant(conn: db.Conn, allowance: Allowance, content: bytes) -> bool:
    """Write a new allowance; False: its id is taken."""
    written = await queries.grant(
        conn,
        merchant_id=allowance.merchant_id,
        allowance_id=allowance.allowance_id,
        store_id=allowance.store_id,
        currency_code=allowance.currency.code,
        minor_digits=allowance.currency.digits,
        time_zone=allowance.time_zone,
        amount=allowance.amount,
        customer_limit=allowance.customer_limit,
        valid_from=allowance.valid_from,
        valid_until=allowance.valid_until,
        fingerprint=content,
        staff_ref=allowance.staff_ref,
        granted_at=allowance.granted_at,
    )
    return written is not None


async def content_of(conn: db.Conn, key: AllowanceKey) -> bytes:
    """Return the fingerprint of the request that granted an allowance which exists."""
    (row,) = [row async for row in queries.read(conn, **_columns([key]))]
    return bytes(row["fingerprint"])


async def lock(conn: db.Conn, keys: Iterable[AllowanceKey]) -> None:
    """Lock the allowances that exist, in id order, and only after the accounts; read in a later statement."""
    async for _ in queries.lock(conn, **_columns(keys)):
        pass


async def read(conn: db.Conn, keys: Iterable[AllowanceKey]) -> dict[AllowanceKey, Allowance]:
    """Return the allowances that exist."""
    found = [decode(row) async for row in queries.read(conn, **_columns(keys))]
    return {allowance.key: allowance for allowance in found}


def decode(row: Any) -> Allowance:
    """Return the allowance in a row."""
    return Allowance(
        merchant_id=row["merchant_id"],
        allowance_id=str(row["allowance_id"]),
        store_id=row["store_id"],
        currency=Currency(row["currency_code"], row["minor_digits"]),
        time_zone=row["time_zone"],
        amount=row["amount"],
        customer_limit=row["customer_limit"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        granted_at=row["granted_at"],
        staff_ref=row["staff_ref"],
        used=row["used"],
        over=row["excess"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )


async def page(
    conn: db.Conn, merchant_id: str, *, store_id: str, valid_at: datetime | None, before: Before, size: int
) -> list[Allowance]:
    """Return a page of allowances, the latest to begin first; store_id may be empty, valid_at None: any."""
    rows = queries.page(
        conn,
        merchant_id=merchant_id,
        store_id=store_id,
        valid_at=valid_at,
        before_at=before.at,
        before_id=before.id,
        size=size,
    )
    return [decode(row) async for row in rows]


async def taken(
    conn: db.Conn, asked: Iterable[tuple[AllowanceKey, str]]
) -> dict[tuple[AllowanceKey, str], int]:
    """Return what customers have taken of locked allowances: nothing, where an answer is missing."""
    wanted = sorted(set(asked))
    rows = queries.taken(
        conn,
        merchants=[key.merchant_id for key, _ in wanted],
        allowance_ids=[key.allowance_id for key, _ in wanted],
        customers=[customer_id for _, customer_id in wanted],
    )
    return {
        (AllowanceKey(r["merchant_id"], str(r["allowance_id"])), r["customer_id"]): r["taken"]
        async for r in rows
    }


async def find_uses(conn: db.Conn, keys: Iterable[HoldKey]) -> dict[HoldKey, Use]:
    """Return what these holds took of their allowances, given back or not."""
    wanted = list(keys)
    rows = queries.find_uses(
        conn, merchants=[k.merchant_id for k in wanted], use_ids=[k.hold_id for k in wanted]
    )
    return {HoldKey(row["merchant_id"], str(row["use_id"])): _use(row) async for row in rows}


def _use(row: Any) -> Use:
    return Use(
        key=Key(row["merchant_id"], row["customer_id"]),
        use_id=str(row["use_id"]),
        allowance_id=str(row["allowance_id"]),
        kind=Kind(row["kind"]),
        amount=row["amount"],
        excess=row["excess"],
        used_at=row["used_at"],
        mark=Mark(row["mark"]) if row["mark"] else None,
    )


async def use(conn: db.Conn, uses: Sequence[Use]) -> None:
    """Write new uses of locked allowances and move what these cache of them."""
    await queries.use(
        conn,
        merchants=[u.key.merchant_id for u in uses],
        use_ids=[u.use_id for u in uses],
        allowance_ids=[u.allowance_id for u in uses],
        customers=[u.key.customer_id for u in uses],
        kinds=[u.kind for u in uses],
        amounts=[u.amount for u in uses],
        excesses=[u.excess for u in uses],
        marks=[u.mark or "" for u in uses],
        used_at=[u.used_at for u in uses],
    )


async def give_back(conn: db.Conn, key: HoldKey, at: datetime) -> None:
    """Give back what a hold of a locked account took of its allowance, once; locks the allowance."""
    await queries.give_back(conn, merchant_id=key.merchant_id, use_id=key.hold_id, at=at)


async def sold_under(conn: db.Conn, holds: Iterable[tuple[HoldKey, str]]) -> dict[HoldKey, Invoice]:
    """Return the invoice of the first sale of the customer that named each hold before it was known."""
    wanted = list(holds)
    rows = queries.sold_under(
        conn,
        merchants=[key.merchant_id for key, _ in wanted],
        hold_ids=[key.hold_id for key, _ in wanted],
        customers=[customer_id for _, customer_id in wanted],
    )
    found = [invoices.decode(row) async for row in rows]
    return {HoldKey(i.merchant_id, i.hold_id or ""): i for i in found}
