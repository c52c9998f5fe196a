"""The only code that writes customers and their member codes, in the customers database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from customers import events
from customers.errors import CustomerNotFound, ErasurePending, MemberCodeHeld
from customers.merchants.store import Shops
from customers.profiles.model import NEUTRAL, Facts
from customers.vault.pending import Pending
from kit import db
from kit.events import Outgoing, publish

queries = db.load(__file__)
Customers = Sequence[tuple[str, str]]
# Longer than a half-done write lasts: then it is completed or withdrawn.
CLAIM_S = 300.0


class Completion:
    """Teaches the customers database what the vault holds, once: rows, member codes and the outbox."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    async def apply(
        self, conn: db.Conn, requests: Sequence[Sequence[Pending]], wait: bool
    ) -> list[list[Pending]]:
        """Apply changes that are pending, in order, and return those that are known afterwards.

        One that is known already does nothing. One whose predecessor is missing waits for it.
        """
        del wait
        return [await self._apply(conn, pending) for pending in requests]

    async def _apply(self, conn: db.Conn, pending: Sequence[Pending]) -> list[Pending]:
        ordered = sorted(pending, key=lambda p: (p.merchant_id, p.customer_id, p.version))
        revisions = await lock(conn, sorted({(p.merchant_id, p.customer_id) for p in ordered}))
        known: list[Pending] = []
        for one in ordered:
            key = (one.merchant_id, one.customer_id)
            following = revisions.get(key, 0) + 1
            if one.version > following:
                continue
            known.append(one)
            if one.version < following:
                continue
            event = await self._one(conn, one, exists=key in revisions)
            if event is not None:
                await publish(conn, events.TOPIC, [event])
            revisions[key] = one.version
        return known

    async def _one(self, conn: db.Conn, pending: Pending, *, exists: bool) -> Outgoing | None:
        merchant_id, customer_id, change = pending.merchant_id, pending.customer_id, pending.change
        at = datetime.fromisoformat(change["at"])
        row = change.get("create")
        if row is not None:
            row = {**row, "registered_at": datetime.fromisoformat(row["registered_at"])}
            fresh = await queries.insert_customer(
                conn, merchant_id=merchant_id, customer_id=customer_id, updated_at=at, **row
            )
            if fresh is None:
                return None
            await self._codes(conn, pending)
            shop = await self._shops.one(conn, merchant_id, row["home_store_id"], at)
            return events.registered(merchant_id, customer_id, row, shop, at)
        if not exists:
            raise CustomerNotFound(customer_id)
        after = await queries.update_customer(
            conn,
            merchant_id=merchant_id,
            customer_id=customer_id,
            updated_at=at,
            revision=pending.version,
            **{name: change["set"].get(name) for name in NEUTRAL},
        )
        if after is None:
            return None  # the customer is being erased: nothing is written or said any more
        await self._codes(conn, pending)
        shop = await self._shops.one(conn, merchant_id, after["home_store_id"], at)
        return events.updated(merchant_id, customer_id, after, change["changed"], shop, at)

    @staticmethod
    async def _codes(conn: db.Conn, pending: Pending) -> None:
        """Replace the member codes, which `claim_codes` kept for this write.

        Were a claim to run out and somebody take the code, it stays theirs: a registration is refused then,
        an update is already true in the vault and goes on without it.
        """
        codes, creates = pending.change.get("codes"), "create" in pending.change
        if codes is None or (creates and not codes):
            return
        key: dict[str, Any] = {"merchant_id": pending.merchant_id, "customer_id": pending.customer_id}
        if not creates:
            await queries.drop_codes(conn, codes=codes, **key)
        await queries.put_codes(conn, codes=codes, **key)
        if creates:
            await check_codes_free(conn, codes=codes, **key)
        await queries.settle_codes(conn, codes=codes, **key)


async def lock(conn: db.Conn, customers: Customers) -> dict[tuple[str, str], int]:
    """Lock customers in id order; return the revision of each that exists."""
    rows = [
        row
        async for row in queries.lock_customers(
            conn, merchants=[m for m, _ in customers], customers=[c for _, c in customers]
        )
    ]
    return {(r["merchant_id"], r["customer_id"]): r["revision"] for r in rows}


@dataclass(frozen=True, slots=True)
class Claim:
    """Member codes that a write is about to take. `customer_id` "" for a registration: nobody's yet."""

    merchant_id: str
    codes: tuple[str, ...]
    request_id: str
    customer_id: str

    @property
    def claimer(self) -> str:
        """A customer may claim a code twice; so may the same registration when it is repeated."""
        return self.customer_id or self.request_id


async def claim_codes(conn: db.Conn, claims: Sequence[Claim], wait: bool) -> list[None]:
    """Keep codes for writes until they are complete, or raise MEMBER_CODE_HELD.

    A claim waits for the commit of whoever claims or settles the code; only then is looked who holds it.
    """
    del wait
    for c in claims:
        key: dict[str, Any] = {"merchant_id": c.merchant_id, "codes": list(c.codes)}
        rows = queries.claim_codes(conn, claimer=c.claimer, lease_s=CLAIM_S, **key)
        claimed = {row["code"] async for row in rows}
        for code in c.codes:
            if code not in claimed:
                raise MemberCodeHeld(code)
        await check_codes_free(conn, customer_id=c.customer_id, **key)
        if c.customer_id:
            # Codes that the customer has already, of a repeated request perhaps, need no claim.
            await queries.settle_codes(conn, customer_id=c.customer_id, **key)
    return [None for _ in claims]


async def release_codes(conn: db.Conn, claim: Claim) -> None:
    """Let go of what a refused write had claimed."""
    await queries.release_codes(
        conn, merchant_id=claim.merchant_id, claimer=claim.claimer, codes=list(claim.codes)
    )


async def check_codes_free(conn: db.Conn, merchant_id: str, customer_id: str, codes: Sequence[str]) -> None:
    """Raise MEMBER_CODE_HELD where another customer holds one of these."""
    held = await queries.code_held_by_other(
        conn, merchant_id=merchant_id, customer_id=customer_id, codes=list(codes)
    )
    if held is not None:
        raise MemberCodeHeld(held)


async def check_not_waiting(conn: db.Conn, merchant_id: str, customer_id: str) -> None:
    """Raise ERASURE_PENDING where the customer waits to be erased."""
    if await queries.erasure_waits(conn, merchant_id=merchant_id, customer_id=customer_id):
        raise ErasurePending(customer_id)


async def read_facts(conn: db.Conn, customers: Customers) -> dict[tuple[str, str], Facts]:
    """Return what is known of customers; absent: they do not exist."""
    rows = [
        row
        async for row in queries.facts(
            conn, merchants=[m for m, _ in customers], customers=[c for _, c in customers]
        )
    ]
    return {(r["merchant_id"], r["customer_id"]): _facts(r) for r in rows}


def _facts(row: asyncpg.Record) -> Facts:
    values = dict(row)
    return Facts(**{**values, "member_codes": tuple(values["member_codes"])})


async def existing(conn: db.Conn, customers: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those that exist."""
    wanted = list(customers)
    rows = [
        row
        async for row in queries.existing(
            conn, merchants=[m for m, _ in wanted], customers=[c for _, c in wanted]
        )
    ]
    return {(r["merchant_id"], r["customer_id"]) for r in rows}
