"""Destroys what the vault holds of a person: the key, what it sealed, and every way to look it up."""

from __future__ import annotations

from collections.abc import Sequence

from kit import db

queries = db.load(__file__)


async def holds(conn: db.Conn, merchant_id: str, customer_id: str) -> bool:
    """Tell whether the vault still has the key of a customer."""
    return bool(await queries.holds_person(conn, merchant_id=merchant_id, customer_id=customer_id))


async def destroy(conn: db.Conn, people: Sequence[tuple[str, str]], wait: bool) -> list[None]:
    """Destroy people by (merchant, customer), under the vault's lock of each; done before: nothing.

    Consents stay, without the addresses that they were given for: proof of what was agreed outlives the
    person's data, and names nobody.
    """
    del wait
    for merchant_id, customer_id in people:
        key = {"merchant_id": merchant_id, "customer_id": customer_id}
        await _lock(conn, **key)
        await queries.forget_points(conn, **key)
        await queries.clear_contact_index(conn, **key)
        await queries.forget_search(conn, **key)
        await queries.forget_fields(conn, **key)
        await queries.forget_consents(conn, **key)
        await queries.forget_requests(conn, **key)
        await queries.forget_pending(conn, **key)
        await queries.forget_person(conn, **key)
    return [None for _ in people]


async def _lock(conn: db.Conn, merchant_id: str, customer_id: str) -> None:
    async for _ in queries.lock_people(conn, merchant_id=merchant_id, customer_ids=[customer_id]):
        pass
