"""A whole profile, read from both databases; the access log is written before it is answered."""

from __future__ import annotations

from customers.errors import CustomerNotFound
from customers.profiles import store
from customers.profiles.model import Profile
from customers.vault import read
from customers.vault.read import Reader
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
    async with vault.pool.acquire(timeout=5) as conn:
        found = await read.read_profile(conn, customer_id, reader, action, reason)
    if found is None:
        return Profile(facts, {}, (), str(facts.revision))
    person, points = found
    (fields,) = await vault.open_fields([person])
    return Profile(facts, fields, tuple(await vault.open_points(person, points)), str(person.version))
