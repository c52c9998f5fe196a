"""What customers says about customers: a limit wished, an erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from credit.accounts import store
from credit.accounts.model import Key
from credit.limits import store as limits
from kit.db import Conn
from kit.events import Received
from langganan.events.v1 import customers_pb2


def registered_keys(event: Received) -> list[Key]:
    """The account that a registration concerns: none where no limit was wished."""
    payload: customers_pb2.CustomerRegistered = event.payload
    return [Key(event.merchant_id, payload.customer_id)] if payload.credit_limit_wished > 0 else []


def erased_keys(event: Received) -> list[Key]:
    """The erased customer's account."""
    payload: customers_pb2.CustomerErased = event.payload
    return [Key(event.merchant_id, payload.customer_id)]


async def customer_registered(conn: Conn, events: list[Received]) -> None:
    """Note the limit that was wished; OpenAccount decides."""
    wishes = {k: e.payload.credit_limit_wished for e in events for k in registered_keys(e)}
    if wishes:
        accounts = await store.read(conn, wishes)
        # Of a customer who was merged since, the survivor's own wish stands.
        wished = {a.key: replace(a, limit_wished=wishes[k]) for k, a in accounts.items() if k == a.key}
        await store.save(conn, list(wished.values()))


async def customer_erased(conn: Conn, events: list[Received]) -> None:
    """From now on new holds decline; returns and payments still book. What staff wrote is forgotten.

    So is what was bought each month, and the limit is no policy's any more. A merged customer is the
    survivor: what is told of the one is done to the other.
    """
    at = {k: e.payload.erased_at.ToDatetime(UTC) for e in events for k in erased_keys(e)}
    known = {a.key: (a, at[k]) for k, a in (await store.read(conn, at)).items()}
    erased = {key: erased_at for key, (_, erased_at) in known.items()}
    fresh = [replace(a, revision=a.revision + 1, by_policy=None) for a, _ in known.values() if not a.erased]
    await store.mark_erased(conn, erased)
    await store.clear_texts(conn, erased)
    await limits.forget(conn, erased)
    await store.save(conn, fresh)
    for account in fresh:
        await store.note(conn, account, "ERASED", erased[account.key])
