"""The only code that writes erasures; each function is one step, in one transaction, and may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from customers.errors import CustomerNotFound
from customers.events import TOPIC
from customers.merchants.store import remember
from kit import db
from kit.events import Outgoing, publish
from kit.fingerprint import fingerprint
from langganan.events.v1.customers_pb2 import CustomerErased

queries = db.load(__file__)
Key = tuple[str, str]
ASKED, OPEN_BALANCE, ERASING, ERASED = "ASKED", "OPEN_BALANCE", "ERASING", "ERASED"


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to be erased. `request_id` "" is the operator's, who repeats an erasure after a restore."""

    key: Key
    request_id: str
    reason: str
    subject: str
    origin: bytes
    till: tuple[str, str, str]
    now: datetime
    lease_s: float


@dataclass(frozen=True, slots=True)
class Erasure:
    """How far an erasure has come."""

    key: Key
    state: str
    asked_at: datetime
    erased_at: datetime | None


async def ask(conn: db.Conn, asked: Sequence[Ask], wait: bool) -> list[Erasure]:
    """Note each wish, once for its request_id; an erasure that is under way is joined."""
    del wait
    return [await _ask(conn, a) for a in asked]


async def _ask(conn: db.Conn, a: Ask) -> Erasure:
    merchant_id, customer_id = a.key
    if await _lock(conn, a.key) is None:
        raise CustomerNotFound(customer_id)
    mark = fingerprint(1, customer_id, a.reason, a.till)
    await remember(conn, merchant_id, "ERASE", a.request_id, mark, a.now)
    await _note(conn, a, ASKED)
    found = await read(conn, a.key)
    assert found is not None
    return found


async def again(conn: db.Conn, asked: Sequence[Ask], wait: bool) -> list[bool]:
    """Note erasures that were done before a restore: whatever credit says, they begin at ERASING.

    False where the restored database does not know the customer.
    """
    del wait
    return [await _again(conn, a) for a in asked]


async def _again(conn: db.Conn, a: Ask) -> bool:
    status = await _lock(conn, a.key)
    if status is None:
        return False
    await _note(conn, a, ERASING)
    if status != ERASED:
        await _move(conn, a.key, ERASING)
        await _set_status(conn, a.key, ERASING)
    return True


async def _note(conn: db.Conn, a: Ask, state: str) -> None:
    merchant_id, customer_id = a.key
    await queries.ask(
        conn,
        merchant_id=merchant_id,
        customer_id=customer_id,
        state=state,
        reason=a.reason,
        subject=a.subject,
        origin=a.origin,
        asked_at=a.now,
        lease_s=a.lease_s,
    )


async def begin(conn: db.Conn, keys: Sequence[Key], wait: bool) -> list[None]:
    """Credit says that nothing is open: from here on the customer is not recognised any more."""
    del wait
    for key in keys:
        await _lock(conn, key)
        found = await read(conn, key)
        if found is not None and found.state in (ASKED, OPEN_BALANCE):
            await _move(conn, key, ERASING)
            await _set_status(conn, key, ERASING)
    return [None for _ in keys]


async def hold_back(conn: db.Conn, keys: Sequence[Key], wait: bool) -> list[None]:
    """Credit says that something is open: what has begun waits, and the customer stands RESTRICTED."""
    del wait
    for key in keys:
        status = await _lock(conn, key)
        found = await read(conn, key)
        if found is None or found.state == ERASED:
            continue
        await _move(conn, key, OPEN_BALANCE)
        if status == ERASING:
            await _set_status(conn, key, "RESTRICTED")
    return [None for _ in keys]


async def finish(conn: db.Conn, done: Sequence[tuple[Key, datetime]], wait: bool) -> list[None]:
    """The vault holds nothing any more: clear what describes the person, and say that they are erased."""
    del wait
    for key, now in done:
        await _lock(conn, key)
        found = await read(conn, key)
        if found is not None and found.state == ERASING:
            await _finish(conn, key, now)
    return [None for _ in done]


async def _finish(conn: db.Conn, key: Key, now: datetime) -> None:
    merchant_id, customer_id = key
    names = {"merchant_id": merchant_id, "customer_id": customer_id}
    await queries.drop_codes(conn, **names)
    await queries.drop_claims(conn, **names)
    await queries.clear(conn, now=now, **names)
    await queries.done(conn, now=now, **names)
    at = Timestamp()
    at.FromDatetime(now)
    payload = CustomerErased(erased_at=at, **names)
    await publish(conn, TOPIC, [Outgoing("customer-erased", merchant_id, customer_id, payload, now)])


async def _lock(conn: db.Conn, key: Key) -> str | None:
    status: str | None = await queries.lock_status(conn, merchant_id=key[0], customer_id=key[1])
    return status


async def _move(conn: db.Conn, key: Key, state: str) -> None:
    await queries.move(conn, merchant_id=key[0], customer_id=key[1], state=state)


async def _set_status(conn: db.Conn, key: Key, status: str) -> None:
    await queries.set_status(conn, merchant_id=key[0], customer_id=key[1], status=status)


async def read(conn: db.Conn, key: Key) -> Erasure | None:
    """Return how far an erasure has come; None: nobody asked for one."""
    row = await queries.erasure(conn, merchant_id=key[0], customer_id=key[1])
    return None if row is None else Erasure(key, row["state"], row["asked_at"], row["erased_at"])


async def claim(conn: db.Conn, lease_s: float, size: int) -> list[Key]:
    """Claim erasures that nobody works on."""
    rows = [row async for row in queries.claim(conn, lease_s=lease_s, size=size)]
    return sorted((row["merchant_id"], row["customer_id"]) for row in rows)


async def open_by_state(conn: db.Conn, now: datetime) -> dict[str, tuple[int, datetime]]:
    """Return how many erasures are on their way and since when the oldest is (none: `now`), by state."""
    counted = dict.fromkeys((ASKED, OPEN_BALANCE, ERASING), (0, now))
    return counted | {row["state"]: (row["erasures"], row["since"]) async for row in queries.open(conn)}
