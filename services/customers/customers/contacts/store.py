"""The only code that appends and lists evidence of consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from customers.errors import ContactPointNotFound, CustomerErased
from customers.vault import store as vault_store
from customers.vault.seal import PersonKey, Token
from customers.vault.store import Remembered
from customers.vault.store import queries as vault_queries
from kit import db
from kit.errors import Aborted

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """Evidence to append; `token` and `sealed` None: for every address of the channel."""

    consent_id: str
    purpose: str
    channel: str
    token: Token | None
    sealed: bytes | None
    state: str
    notice_version: str
    notice_language: str
    method: str
    evidence_ref: str
    by_guardian: bool
    origin: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """One SetConsent, decoded and sealed."""

    person: PersonKey
    row: ConsentRow
    fingerprint: bytes
    index_version: int
    now: datetime


async def append_all(
    conn: db.Conn, appends: Sequence[Append], wait: bool
) -> list[tuple[asyncpg.Record, Remembered | None]]:
    """Append evidence, each once for its request_id; answers the row, and how it was asked for before."""
    del wait
    return [await _append(conn, a) for a in appends]


async def _append(conn: db.Conn, a: Append) -> tuple[asyncpg.Record, Remembered | None]:
    merchant_id, row = a.person.merchant_id, a.row
    fresh = await vault_queries.remember_request(
        conn,
        merchant_id=merchant_id,
        kind="CONSENT",
        request_id=row.consent_id,
        customer_id=a.person.customer_id,
        index_version=a.index_version,
        fingerprint=a.fingerprint,
    )
    key = {"merchant_id": merchant_id, "customer_id": a.person.customer_id}
    before = None
    if fresh is None:
        before = await vault_store.find_request(conn, merchant_id, "CONSENT", row.consent_id)
        if before is None:
            raise Aborted("the customer was withdrawn just now; repeat with the same id")
        key["customer_id"] = before.customer_id
    else:
        # The vault's lock of the customer: a take-over ends the address and its consents under it.
        if not [
            row
            async for row in vault_queries.lock_people(
                conn, merchant_id=merchant_id, customer_ids=[a.person.customer_id]
            )
        ]:
            raise CustomerErased(a.person.customer_id)
        # Kept as the address itself is: while an index key is rotated that may be another than ours.
        token = None
        if row.token is not None:
            tokens = list(row.token.every)
            token = await queries.held_address(conn, channel=row.channel, tokens=tokens, **key)
            if token is None:
                message = "the customer does not hold this address; add it with UpdateCustomer"
                raise ContactPointNotFound(message)
        await queries.append_consent(
            conn,
            consent_id=row.consent_id,
            purpose=row.purpose,
            channel=row.channel,
            token=token,
            key_version=a.person.key_version,
            sealed=row.sealed,
            state=row.state,
            notice_version=row.notice_version,
            notice_language=row.notice_language,
            method=row.method,
            evidence_ref=row.evidence_ref,
            by_guardian=row.by_guardian,
            origin=row.origin,
            now=a.now,
            **key,
        )
    return await queries.consent(conn, consent_id=row.consent_id, **key), before


async def list_consents(
    conn: db.Conn, merchant_id: str, customer_id: str, before: int, size: int
) -> list[asyncpg.Record]:
    """Return a page of evidence, newest first."""
    rows: list[asyncpg.Record] = [
        row
        async for row in queries.list_consents(
            conn, merchant_id=merchant_id, customer_id=customer_id, before=before, size=size
        )
    ]
    return rows
