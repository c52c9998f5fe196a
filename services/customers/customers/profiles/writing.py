"""Registrations and updates over two databases that share no transaction.

First the vault, with its new version and what the other side still has to learn; then customers and its
outbox. Whatever stops in between is completed or withdrawn by the sweep, or by the same request again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.errors import ContactHeld, CustomerErased, CustomerNotFound, MemberCodeHeld
from customers.merchants.model import Shop
from customers.profiles import model, store
from customers.profiles.limit import MissLimit, register_of
from customers.profiles.model import Draft
from customers.vault import pending as pendings
from customers.vault import read
from customers.vault import store as vault_store
from customers.vault.pending import Pending
from customers.vault.read import Access, Reader
from customers.vault.seal import PersonKey, Sealer
from customers.vault.store import Contents, Held, Write, Written
from customers.vault.vault import Vault
from kit import db, failpoints
from kit.batch import once
from kit.errors import Aborted, DomainError, IdempotencyConflict, Unavailable
from kit.fingerprint import Field
from kit.ids import new_customer_id


@dataclass(frozen=True, slots=True)
class Registration:
    """A decoded CreateCustomer. `registered_at` None: now; `credit_limit_wished` in minor units."""

    request_id: str
    draft: Draft
    kind: str
    credit_limit_wished: int
    registered_at: datetime | None
    take_over: bool
    reader: Reader
    shop: Shop
    now: datetime


@dataclass(frozen=True, slots=True)
class Update:
    """A decoded UpdateCustomer."""

    request_id: str
    customer_id: str
    draft: Draft
    etag: str
    take_over: bool
    reader: Reader
    now: datetime


def content(draft: Draft) -> tuple[Field, ...]:
    """What a draft means, for a fingerprint."""
    points: Field = None
    if draft.points is not None:
        points = tuple(
            (p.channel, p.address, p.shared, _text(p.verified_at), _text(p.valid_from)) for p in draft.points
        )
    sealed, neutral = _pairs(draft.sealed), _pairs(draft.neutral)
    return (sealed, neutral, points, draft.member_codes)


def _pairs(values: Mapping[str, str]) -> Field:
    return [list(pair) for pair in sorted(values.items())]


def _text(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


class Profiles:
    """Writes profiles: the vault first, then customers and its outbox."""

    def __init__(self, pool: db.Pool, vault: Vault, completion: store.Completion, limit: MissLimit) -> None:
        self._pool, self._vault, self._completion, self._limit = pool, vault, completion, limit

    async def create(self, r: Registration) -> str:
        """Register a customer, once for its request_id; return the customer_id."""
        written = await self.seal_registration(r)
        failpoints.hit("vault-written", "create")
        try:
            await self.complete(written.pending)
        except MemberCodeHeld:
            await self._withdraw(written)
            raise
        return written.customer_id

    async def seal_registration(self, r: Registration) -> Written:
        """The first step of a registration: the vault. Nobody exists until the second, `complete`."""
        merchant_id = r.shop.merchant_id
        fields: tuple[Field, ...] = (
            content(r.draft),
            r.kind,
            r.credit_limit_wished,
            _text(r.registered_at),
            r.take_over,
            r.shop.store_id,
        )
        async with self._claimed(store.Claim(merchant_id, r.draft.member_codes or (), r.request_id, "")):
            person, sealer = await self._vault.keyring.create(merchant_id, new_customer_id())
            write = self._write("CREATE", r, fields, person, sealer, _created(r))
            written = await self._to_vault(write, r.reader)
        self._check_same(written, write, fields)
        return written

    async def update(self, u: Update) -> str:
        """Change a profile, once for its request_id; return the customer_id."""
        written = await self.seal_update(u)
        failpoints.hit("vault-written", "update")
        await self.complete(written.pending)
        return written.customer_id

    async def seal_update(self, u: Update) -> Written:
        """The first step of an update: the vault. From here on it will be completed, whatever happens."""
        key = (u.reader.merchant_id, u.customer_id)
        fields: tuple[Field, ...] = (content(u.draft), u.customer_id, u.etag, u.take_over)
        async with self._pool.acquire(timeout=5) as conn:
            facts = (await store.read_facts(conn, [key])).get(key)
            if u.draft.neutral.get("status", "RESTRICTED") != "RESTRICTED":
                await store.check_not_waiting(conn, *key)
        if facts is None:
            raise CustomerNotFound(u.customer_id)
        if facts.status in ("ERASING", "ERASED"):
            raise CustomerErased(u.customer_id)
        async with self._vault.pool.acquire(timeout=5) as conn:
            found = (await read.read_people(conn, [key], ())).get(key)
        if found is None:
            raise CustomerErased(u.customer_id)
        sealer = await self._vault.keyring.sealer(found.key)
        write = self._write("UPDATE", u, fields, found.key, sealer, _changed(u))
        claim = store.Claim(key[0], u.draft.member_codes or (), u.request_id, u.customer_id)
        async with self._claimed(claim):
            written = await self._to_vault(write, u.reader)
        self._check_same(written, write, fields)
        return written

    async def complete(self, pending: list[Pending]) -> None:
        """Teach the customers database what is pending, then drop it from the vault."""
        if not pending:
            return
        done = await once(self._pool, self._completion.apply, pending)
        failpoints.hit("customers-written")
        async with self._vault.pool.acquire(timeout=5) as conn:
            await pendings.settle(conn, done)

    def _write(
        self,
        kind: str,
        request: Registration | Update,
        fields: tuple[Field, ...],
        person: PersonKey,
        sealer: Sealer,
        change: Mapping[str, Any],
    ) -> Write:
        index, merchant_id, draft = self._vault.index, person.merchant_id, request.draft
        points = draft.points
        contents = Contents(
            fields={
                name: sealer.seal(name, value) if value else None for name, value in draft.sealed.items()
            },
            points=None if points is None else self._vault.seal_points(merchant_id, sealer, points),
            search=self._vault.search_tokens(merchant_id, draft.sealed),
        )
        return Write(
            kind,
            request.request_id,
            index.mark(merchant_id, kind, *fields),
            index.version,
            person,
            contents,
            change,
            request.take_over,
            request.now,
            request.etag if isinstance(request, Update) else "",
        )

    async def _to_vault(self, write: Write, reader: Reader) -> Written:
        if write.contents.points and not write.take_over:
            await self._check_limit(reader)
        try:
            return await once(self._vault.pool, vault_store.write_all, write)
        except Held as held:
            raise await self._contact_held(held, reader) from None

    async def _check_limit(self, reader: Reader) -> None:
        """Refuse addresses of a register that guessed too many, held or not: one let through would tell."""
        register = register_of(reader)
        async with self._vault.pool.acquire(timeout=5) as conn:
            waits = await self._limit.waits(conn, {register})
        if waits:
            raise self._limit.refusal(waits[register])

    async def _contact_held(self, held: Held, reader: Reader) -> ContactHeld:
        """Say who holds the address, masked; that is a read of personal data, logged as one, and a miss."""
        key = (reader.merchant_id, held.customer_id)
        async with db.transaction(self._vault.pool) as conn:
            people = await read.read_people(conn, [key], ("full_name",))
            await read.log_access(conn, "CONTACT_HELD", [Access(reader, [held.customer_id])])
            await self._limit.count(conn, {register_of(reader): 1})
        opened = await self._vault.open_fields(list(people.values()))
        holder = model.mask(opened[0].get("full_name", "")) if opened else ""
        return ContactHeld(
            "another customer holds this contact point; if the number was sold again send take_over, if both "
            "use it mark it shared at both",
            channel=held.channel,
            holder=holder,
            holder_id=held.customer_id,
        )

    def _check_same(self, written: Written, write: Write, fields: tuple[Field, ...]) -> None:
        before = written.before
        if before is None:
            return
        index, merchant_id = self._vault.index, write.person.merchant_id
        same = index.fingerprint(before.index_version, merchant_id, write.kind, *fields)
        if same not in (None, before.fingerprint):
            raise IdempotencyConflict("request_id", write.request_id)

    @asynccontextmanager
    async def _claimed(self, claim: store.Claim) -> AsyncIterator[None]:
        """Keep member codes for a write while it goes to the vault, unless this is a repetition."""
        if not claim.codes or not await self._claim(claim):
            yield
            return
        try:
            yield
        except (Unavailable, Aborted):
            raise  # the vault may know it: the claim stays for the same request, or until its lease ends
        except DomainError:
            async with self._pool.acquire(timeout=5) as conn:
                await store.release_codes(conn, claim)
            raise

    async def _claim(self, claim: store.Claim) -> bool:
        """Claim codes or raise MEMBER_CODE_HELD; False: the write was done before, or this very moment."""
        if await self._known(claim):
            return False
        try:
            await once(self._pool, store.claim_codes, claim)
        except MemberCodeHeld:
            if await self._known(claim):
                return False
            raise
        return True

    async def _known(self, claim: store.Claim) -> bool:
        kind = "UPDATE" if claim.customer_id else "CREATE"
        async with self._vault.pool.acquire(timeout=5) as conn:
            found = await vault_store.find_request(conn, claim.merchant_id, kind, claim.request_id)
        return found is not None

    async def _withdraw(self, written: Written) -> None:
        """Take a registration back whose member code was lost in a race, unless its customer exists."""
        for one in written.pending:
            if one.customer_id != written.customer_id or one.version != 1:
                continue
            async with self._pool.acquire(timeout=5) as conn:
                if await store.existing(conn, [(one.merchant_id, one.customer_id)]):
                    return
            async with db.transaction(self._vault.pool) as conn:
                await pendings.withdraw(conn, one, unless_touched=False)


def _created(r: Registration) -> dict[str, Any]:
    """The neutral part of a registration, as the customers database will store it."""
    neutral = {"gender": "", "city": "", "province": "", "time_zone": "", "acquisition_source": ""}
    neutral |= {name: value for name, value in r.draft.neutral.items() if name != "status"}
    return {
        "at": r.now.isoformat(),
        "create": {
            **neutral,
            "kind": r.kind,
            "language": r.draft.neutral.get("language") or r.shop.language,
            "home_store_id": r.shop.store_id,
            "credit_limit_wished": r.credit_limit_wished,
            "registered_at": (r.registered_at or r.now).isoformat(),
        },
        "codes": list(r.draft.member_codes or ()),
    }


def _changed(u: Update) -> dict[str, Any]:
    """The neutral part of an update; of what names the person only the names of the fields."""
    change: dict[str, Any] = {
        "at": u.now.isoformat(),
        "changed": u.draft.changed,
        "set": dict(u.draft.neutral),
    }
    if u.draft.member_codes is not None:
        change["codes"] = list(u.draft.member_codes)
    return change
