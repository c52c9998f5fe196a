"""A whole profile, read from both databases; the access log is written before it is answered."""

from __future__ import annotations

from customers.errors import CustomerNotFound
from customers.profiles import store
from customers.profiles.model import SEALED, Profile
from customers.vault import read
from customers.vault.read import Access, Reader
from customers.vault.vault import Vault
from kit import db


async def profile(
    pool: db.Pool, vault: Vault, customer_id: str, reader: Reader, action: str, reason: str = ""
) -> Profile:
    """Return a customer's profile or raise CUSTOMER_NOT_FOUND. Of an erased one only the books are left."""
    key = (reader.merchant_id, customer_id)
    async with pool.acquire(timeout=5) as conn:
        facts = (await store.read_facts(conn, [key])).get(key)
    if facts is None:
        raise CustomerNotFound(customer_id)
    async with db.transaction(vault.pool) as conn:
        person = (await read.read_people(conn, [key], SEALED)).get(key)
        points = await read.read_points(conn, *key)
        await read.log_access(conn, action, [Access(reader, [customer_id], reason)])
    if person is None:
        return Profile(facts, {}, (), str(facts.revision))
    (fields,) = await vault.open_fields([person])
    return Profile(facts, fields, tuple(await vault.open_points(person, points)), str(person.version))
