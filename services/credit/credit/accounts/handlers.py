"""What customers says about customers: a limit wished, a merge, an erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

from credit.accounts import store
from credit.accounts.model import Key
from kit.db import Conn
from kit.events import NotYet, Received
from langganan.events.v1 import customers_pb2


def registered_keys(event: Received) -> list[Key]:
    """The account that a registration concerns: none where no limit was wished."""
    payload: customers_pb2.CustomerRegistered = event.payload
    return [Key(event.merchant_id, payload.customer_id)] if payload.credit_limit_wished > 0 else []


def merged_keys(event: Received) -> list[Key]:
    """No account: a merge moves nothing yet."""
    del event
    return []


def erased_keys(event: Received) -> list[Key]:
    """The erased customer's account."""
    payload: customers_pb2.CustomerErased = event.payload
    return [Key(event.merchant_id, payload.customer_id)]


async def customer_registered(conn: Conn, events: list[Received]) -> None:
    """Note the limit that was wished; OpenAccount decides."""
    wishes = {k: e.payload.credit_limit_wished for e in events for k in registered_keys(e)}
    if wishes:
        accounts = await store.read(conn, wishes)
        await store.save(conn, [replace(a, limit_wished=wishes[k]) for k, a in accounts.items()])


async def customer_merged(conn: Conn, events: list[Received]) -> list[Exception | None]:
    """Let a merge wait, and what the absorbed customer does after it, until accounts can be moved."""
    del conn
    return [
        NotYet(
            f"credit cannot move the account of {event.payload.absorbed_customer_id} to "
            f"{event.payload.surviving_customer_id} yet; this event waits until a release that can"
        )
        for event in events
    ]


async def customer_erased(conn: Conn, events: list[Received]) -> None:
    """From now on new holds decline; returns and payments still book. What staff wrote is forgotten."""
    erased = {k: e.payload.erased_at.ToDatetime(UTC) for e in events for k in erased_keys(e)}
    known = await store.read(conn, erased)
    fresh = [replace(a, revision=a.revision + 1) for a in known.values() if not a.erased]
    await store.mark_erased(conn, erased)
    await store.clear_texts(conn, erased)
    await store.save(conn, fresh)
    for account in fresh:
        await store.note(conn, account, "ERASED", erased[account.key])
