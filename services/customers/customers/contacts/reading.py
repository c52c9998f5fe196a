"""GetContacts, a hot read: a batch of inquiries, one statement a step; logged before it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from customers.contacts.model import Evidence, refusal
from customers.vault.read import Access, Reader, SealedPerson, log_access
from customers.vault.seal import PersonKey
from kit import db

queries = db.load(__file__)
FIELDS = ("full_name", "nickname", "birth_date")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands, and in what language and zone to speak to them."""

    status: str
    language: str
    time_zone: str
    home_store_id: str


async def read_standing(conn: db.Conn, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
    """Return where customers stand, from the customers database; absent: they do not exist."""
    rows = [
        row
        async for row in queries.standing(
            conn, merchants=[m for m, _ in wanted], customers=[c for _, c in wanted]
        )
    ]
    return {
        (r["merchant_id"], r["customer_id"]): Standing(
            r["status"], r["language"], r["time_zone"], r["home_store_id"]
        )
        for r in rows
    }


@dataclass(frozen=True, slots=True)
class Reachable:
    """A customer's sealed names, live addresses in their order, and evidence, newest first."""

    person: SealedPerson
    addresses: tuple[tuple[str, bytes, bytes, datetime | None], ...]  # channel, token, sealed, verified_at
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One GetContacts: which customers of a merchant, and what for."""

    reader: Reader
    purpose: str
    customer_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one inquiry, by customer_id; sealed."""

    standing: Mapping[str, Standing]
    reachable: Mapping[str, Reachable]


async def find_contacts(
    session: tuple[db.Conn, db.Conn], inquiries: Sequence[Inquiry], wait: bool
) -> list[Found]:
    """Find who can be reached, and log it. Nothing sealed is read of who may not be spoken to.

    The session: a transaction of the vault, and a connection of customers. Opened after the commit.
    """
    del wait  # nothing is locked
    conn, customers = session
    keys = sorted({(i.reader.merchant_id, c) for i in inquiries for c in i.customer_ids})
    standing = await read_standing(customers, keys)
    asked = sorted(
        {
            (i.reader.merchant_id, c, i.purpose)
            for i in inquiries
            for c in i.customer_ids
            if (at := standing.get((i.reader.merchant_id, c))) and not refusal(at.status, i.purpose)
        }
    )
    reachable: dict[tuple[str, str, str], Reachable] = {}
    if asked:
        rows = [
            row
            async for row in queries.reachable(
                conn,
                merchants=[a[0] for a in asked],
                customers=[a[1] for a in asked],
                purposes=[a[2] for a in asked],
                fields=list(FIELDS),
            )
        ]
        reachable = {(r["merchant_id"], r["customer_id"], r["purpose"]): _reachable(r) for r in rows}
    found = [_found(i, standing, reachable) for i in inquiries]
    await log_access(
        conn,
        "GET_CONTACTS",
        [Access(i.reader, sorted(f.reachable), i.purpose) for i, f in zip(inquiries, found, strict=True)],
    )
    return found


def _found(
    inquiry: Inquiry,
    standing: Mapping[tuple[str, str], Standing],
    reachable: Mapping[tuple[str, str, str], Reachable],
) -> Found:
    m = inquiry.reader.merchant_id
    return Found(
        {c: standing[m, c] for c in inquiry.customer_ids if (m, c) in standing},
        {
            c: reachable[m, c, inquiry.purpose]
            for c in inquiry.customer_ids
            if (m, c, inquiry.purpose) in reachable
        },
    )


def _key(row: asyncpg.Record) -> PersonKey:
    return PersonKey(
        row["merchant_id"], row["customer_id"], row["key_version"], row["kek_id"], row["wrapped_key"]
    )


def _reachable(row: asyncpg.Record) -> Reachable:
    fields = dict(zip(row["names"] or (), row["sealed"] or (), strict=True))
    evidence = zip(
        row["consent_channels"] or (),
        row["consent_tokens"] or (),
        row["states"] or (),
        row["by_guardian"] or (),
        strict=True,
    )
    return Reachable(
        SealedPerson(_key(row), row["version"], fields),
        tuple(
            zip(
                row["channels"] or (),
                row["tokens"] or (),
                row["addresses"] or (),
                row["verified_at"] or (),
                strict=True,
            )
        ),
        tuple(Evidence(row["purpose"], c, t, state == "GIVEN", by) for c, t, state, by in evidence),
    )
