"""Evidence of consent: checked, sealed, appended; opened when it is listed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from customers.contacts import store
from customers.contacts.model import BirthDate, is_minor, normal_address
from customers.contacts.reading import Standing, read_standing
from customers.errors import CustomerErased, CustomerNotFound, GuardianRequired
from customers.instants import stamp
from customers.merchants.model import check_language
from customers.merchants.store import Shops
from customers.profiles.decode import channel_name, origin_key
from customers.vault import read
from customers.vault.read import Access, Reader, SealedPerson
from customers.vault.vault import Vault
from kit import db, pan
from kit.batch import once
from kit.errors import IdempotencyConflict
from kit.ids import canonical_uuid
from langganan.customers.v1 import contacts_pb2
from langganan.types.v1.origin_pb2 import Origin

_NEWEST = 2**62


def local_minor(born: str, time_zone: str, now: datetime) -> bool:
    """Tell whether a date of birth, as sealed, is a minor's on the customer's local date."""
    return bool(born) and is_minor(BirthDate.parse(born), now.astimezone(ZoneInfo(time_zone)).date())


class Consents:
    """Appends and lists evidence of one customer at a time."""

    def __init__(self, pool: db.Pool, vault: Vault, shops: Shops) -> None:
        self._pool, self._vault, self._shops = pool, vault, shops

    async def append(
        self, request: contacts_pb2.SetConsentRequest, who: Reader, now: datetime
    ) -> contacts_pb2.Consent:
        """Append one piece of evidence, once for its request_id."""
        key = (who.merchant_id, request.customer_id)
        pan.refuse([request.evidence_ref, request.notice_version])
        channel = channel_name(request.channel)
        address = normal_address(channel, request.address, "address") if request.address else ""
        standing = await self._standing(key)
        if standing.status in ("ERASING", "ERASED"):
            raise CustomerErased(request.customer_id)
        own_word = request.state == contacts_pb2.CONSENT_STATE_GIVEN and not request.by_guardian
        async with db.transaction(self._vault.pool) as conn:
            fields = ("birth_date",) if own_word else ()
            person = (await read.read_people(conn, [key], fields)).get(key)
            if own_word:
                access = Access(who, [request.customer_id], "CONSENT_AGE")
                await read.log_access(conn, "SET_CONSENT", [access])
        if person is None:
            raise CustomerErased(request.customer_id)
        row = await self._row(request, channel, address, person)
        if own_word:
            await self._check_age(person, standing, who.merchant_id, now)
        content = (
            *(request.customer_id, row.purpose, channel, address, row.state, row.notice_version),
            *(row.notice_language, row.method, row.evidence_ref, row.by_guardian),
            *origin_key(request.origin),
        )
        index = self._vault.index
        mark = index.mark(who.merchant_id, "CONSENT", *content)
        append = store.Append(person.key, row, mark, index.version, now)
        record, before = await once(self._vault.pool, store.append_all, append)
        if before is not None:
            same = index.fingerprint(before.index_version, who.merchant_id, "CONSENT", *content)
            if same not in (None, before.fingerprint):
                raise IdempotencyConflict("request_id", request.request_id)
        return (await self._open([record], person))[0]

    async def page(
        self, customer_id: str, who: Reader, before: int | None, size: int
    ) -> tuple[list[contacts_pb2.Consent], int | None]:
        """Return a page of evidence, newest first, and the position of the next page."""
        key = (who.merchant_id, customer_id)
        await self._standing(key)
        async with db.transaction(self._vault.pool) as conn:
            person = (await read.read_people(conn, [key], ())).get(key)
            rows = await store.list_consents(conn, *key, before or _NEWEST, size + 1)
            await read.log_access(conn, "LIST_CONSENTS", [Access(who, [customer_id])])
        if person is None:
            return [], None
        following = rows[size - 1]["seq"] if len(rows) > size else None
        return await self._open(rows[:size], person), following

    async def _standing(self, key: tuple[str, str]) -> Standing:
        async with self._pool.acquire(timeout=5) as conn:
            standing = (await read_standing(conn, [key])).get(key)
        if standing is None:
            raise CustomerNotFound(key[1])
        return standing

    async def _row(
        self, request: contacts_pb2.SetConsentRequest, channel: str, address: str, person: SealedPerson
    ) -> store.ConsentRow:
        sealer = await self._vault.keyring.sealer(person.key)
        return store.ConsentRow(
            consent_id=canonical_uuid(request.request_id, "request_id"),
            purpose=contacts_pb2.Purpose.Name(request.purpose).removeprefix("PURPOSE_"),
            channel=channel,
            token=self._vault.address_token(person.key.merchant_id, channel, address) if address else None,
            sealed=sealer.seal("consent", address) if address else None,
            state=contacts_pb2.ConsentState.Name(request.state).removeprefix("CONSENT_STATE_"),
            notice_version=request.notice_version,
            notice_language=check_language(request.notice_language, "notice_language"),
            method=contacts_pb2.ConsentMethod.Name(request.method).removeprefix("CONSENT_METHOD_"),
            evidence_ref=request.evidence_ref,
            by_guardian=request.by_guardian,
            origin=request.origin.SerializeToString(deterministic=True),
        )

    async def _check_age(
        self, person: SealedPerson, standing: Standing, merchant_id: str, now: datetime
    ) -> None:
        (fields,) = await self._vault.open_fields([person])
        shops = await self._shops.look_up(self._pool, [(merchant_id, standing.home_store_id)], now)
        zone = standing.time_zone or shops[merchant_id, standing.home_store_id].time_zone
        if local_minor(fields.get("birth_date", ""), zone, now):
            raise GuardianRequired("the customer is under 18; a guardian must consent, then send by_guardian")

    async def _open(self, rows: Sequence[asyncpg.Record], person: SealedPerson) -> list[contacts_pb2.Consent]:
        sealer = await self._vault.keyring.sealer(person.key)
        return [_consent(row, sealer.open("consent", row["sealed"]) if row["sealed"] else "") for row in rows]


def _consent(row: asyncpg.Record, address: str) -> contacts_pb2.Consent:
    return contacts_pb2.Consent(
        consent_id=str(row["consent_id"]),
        customer_id=row["customer_id"],
        purpose=contacts_pb2.Purpose.Value("PURPOSE_" + row["purpose"]),
        channel=contacts_pb2.Channel.Value("CHANNEL_" + row["channel"]),
        address=address,
        state=contacts_pb2.ConsentState.Value("CONSENT_STATE_" + row["state"]),
        notice_version=row["notice_version"],
        notice_language=row["notice_language"],
        method=contacts_pb2.ConsentMethod.Value("CONSENT_METHOD_" + row["method"]),
        evidence_ref=row["evidence_ref"],
        by_guardian=row["by_guardian"],
        origin=Origin.FromString(row["origin"]),
        recorded_at=stamp(row["recorded_at"]),
        ended_at=stamp(row["ended_at"]),
    )
