"""The only code of messages that runs SQL. What writes a customer's messages holds that customer's row,
save for the claim of an attempt, which the attempt's number fences.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kit import cause, db
from kit.counts import count
from kit.errors import IdempotencyConflict
from kit.events import publish
from notify import events, metrics
from notify.messages.model import FINAL, Outcome, Reason, State
from notify.messages.records import Claimed, NewMessage, Stored
from notify.templates import store as templates
from notify.templates.values import from_json, to_json

_queries = db.load(__file__)
# Later than any message: the first page begins here.
_NEWEST = (datetime(9999, 12, 31, tzinfo=UTC), "ffffffff-ffff-ffff-ffff-ffffffffffff")

Customer = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Recipient:
    erased_at: datetime | None
    merged_into: str | None


def _columns(customers: Iterable[Customer]) -> dict[str, list[str]]:
    pairs = list(customers)
    return {"merchant_ids": [m for m, _ in pairs], "customer_ids": [c for _, c in pairs]}


async def lock(conn: db.Conn, customers: Iterable[Customer]) -> None:
    """Open the rows that are missing and lock all named, in id order, then those that absorbed them.

    The second step may cross another's order; Postgres ends that as a deadlock, and the caller's
    transaction is run again. It happens only around merges.
    """
    wanted, locked = set(customers), set[Customer]()
    while wanted:
        locked |= wanted
        named = _columns(sorted(wanted))
        await _queries.open_recipients(conn, **named)
        rows = [row async for row in _queries.lock_recipients(conn, **named)]
        survivors = {(r["merchant_id"], r["merged_into"]) for r in rows if r["merged_into"]}
        wanted = survivors - locked


async def _recipients(conn: db.Conn, customers: Iterable[Customer]) -> dict[Customer, _Recipient]:
    return {
        (r["merchant_id"], r["customer_id"]): _Recipient(r["erased_at"], r["merged_into"])
        async for r in _queries.recipients_of(conn, **_columns(customers))
    }


async def add(conn: db.Conn, messages: Sequence[NewMessage]) -> int:
    """Store new messages of customers that are locked, and return how many.

    One whose cause has a message already adds nothing; a new one of a family replaces what waits of it.
    """
    if not messages:
        return 0
    in_force = await templates.in_force(conn, {(m.merchant_id, m.template) for m in messages})
    known = await _recipients(conn, {(m.merchant_id, m.customer_id) for m in messages})
    survivors = {(m, r.merged_into) for (m, _), r in known.items() if r.merged_into}
    known.update(await _recipients(conn, survivors))
    columns: dict[str, list[Any]] = {name: [] for name in _INSERTED}
    of_cause = cause.traceparents([(m.merchant_id, m.customer_id) for m in messages])
    columns["traceparents"] = [m.traceparent or of for m, of in zip(messages, of_cause, strict=True)]
    for message in messages:
        customer_id = known[message.merchant_id, message.customer_id].merged_into or message.customer_id
        erased_at = known[message.merchant_id, customer_id].erased_at
        row = (
            message.merchant_id,
            message.message_id,
            customer_id,
            message.kind,
            message.cause,
            message.template,
            message.template_version or in_force[message.merchant_id, message.template],
            json.dumps(to_json(message.variables), separators=(",", ":")),
            message.wanted_channel,
            message.fingerprint,
            State.SKIPPED if erased_at else State.PENDING,
            Reason.CUSTOMER_ERASED if erased_at else Reason.NONE,
            message.created_at,
            message.not_after,
            max(message.created_at, erased_at) if erased_at else None,
            message.family,
            message.until,
            json.dumps(list(message.invoices)),
        )
        for name, value in zip(_INSERTED, row, strict=True):
            columns[name].append(value)
    made = [row async for row in _queries.insert_messages(conn, **columns)]
    for row in made:
        count(metrics.MESSAGES_MADE.labels(row["kind"]))
        if row["state"] in FINAL:
            count(metrics.MESSAGES_FINISHED.labels(row["kind"], row["state"], row["reason"], ""))
    await _replace_older(conn, [row for row in made if row["family"]])
    return len(made)


async def _replace_older(conn: db.Conn, made: Sequence[Any]) -> None:
    if not made:
        return
    rows = _queries.skip_replaced(
        conn,
        merchant_ids=[r["merchant_id"] for r in made],
        customer_ids=[r["customer_id"] for r in made],
        families=[r["family"] for r in made],
        created=[r["created_at"] for r in made],
        message_ids=[r["message_id"] for r in made],
    )
    async for row in rows:
        count(metrics.MESSAGES_FINISHED.labels(row["kind"], State.SKIPPED, Reason.REPLACED, ""))


_INSERTED = (
    "merchant_ids",
    "message_ids",
    "customer_ids",
    "kinds",
    "causes",
    "templates",
    "versions",
    "variables",
    "wanted_channels",
    "fingerprints",
    "states",
    "reasons",
    "created",
    "not_afters",
    "finished",
    "families",
    "untils",
    "invoices",
)


async def send(conn: db.Conn, requests: Sequence[NewMessage], wait: bool) -> list[Stored | Exception]:
    """Store what SendMessage asks for, each once by its id, and answer each message as it is now."""
    del wait  # not batched: kit.batch.once always waits for the lock
    await lock(conn, {(r.merchant_id, r.customer_id) for r in requests})
    await add(conn, requests)
    return [await _sent(conn, request) for request in requests]


async def _sent(conn: db.Conn, request: NewMessage) -> Stored | Exception:
    found = await get(conn, request.merchant_id, request.message_id)
    assert found is not None, "a message that was just inserted, or was there, is there"
    if found.fingerprint != request.fingerprint:
        return IdempotencyConflict("message", request.message_id)
    return found


async def get(conn: db.Conn, merchant_id: str, message_id: str) -> Stored | None:
    """Return one message as it is now."""
    row = await _queries.get_message(conn, merchant_id=merchant_id, message_id=message_id)
    return None if row is None else _stored(row)


async def page(
    conn: db.Conn,
    merchant_id: str,
    *,
    customer_id: str,
    kind: str,
    states: Sequence[str],
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Stored]:
    """Return up to `limit` messages older than `before`, newest first; empty filters match all."""
    before_time, before_id = before or _NEWEST
    common = {
        "merchant_id": merchant_id,
        "kind": kind,
        "states": list(states),
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit,
    }
    if customer_id:
        rows = _queries.list_messages_of_customer(conn, customer_id=customer_id, **common)
    else:
        rows = _queries.list_messages(conn, **common)
    return [_stored(row) async for row in rows]


def _stored(row: Any) -> Stored:
    fields = dict(row)
    fields["variables"] = from_json(json.loads(fields["variables"]))
    for name, enum in (("state", State), ("reason", Reason), ("last_failure", Reason)):
        fields[name] = enum(fields[name])
    return Stored(**fields)


async def claim(conn: db.Conn, *, now: datetime, limit: int, lease_s: float) -> list[Claimed]:
    """Begin an attempt of up to `limit` messages that are due or were held until `now` (business time);
    commit before any I/O.
    """
    rows = _queries.claim_messages(conn, now=now, limit=limit, lease_s=lease_s)
    return [Claimed(**dict(row)) async for row in rows]


async def finish(
    conn: db.Conn, attempts: Sequence[tuple[Claimed, Outcome]], pauses: Sequence[float], now: datetime
) -> list[tuple[Claimed, Outcome]]:
    """Write what attempts came to and publish what is final; return those written.

    An attempt whose lease ran out and that another worker began anew is not written. `now` is business
    time, `pauses` wall seconds until the next attempt of each.
    """
    await lock(conn, {(claimed.merchant_id, claimed.customer_id) for claimed, _ in attempts})
    rows = _queries.finish_attempts(
        conn,
        now=now,
        merchant_ids=[c.merchant_id for c, _ in attempts],
        message_ids=[c.message_id for c, _ in attempts],
        attempts=[c.attempts for c, _ in attempts],
        states=[o.state for _, o in attempts],
        reasons=[o.reason for _, o in attempts],
        last_failures=[o.last_failure for _, o in attempts],
        channels=[o.channel for _, o in attempts],
        languages=[o.language for _, o in attempts],
        pauses=list(pauses),
        not_befores=[o.not_before for _, o in attempts],
        not_afters=[c.not_after for c, _ in attempts],
        untried=[0 if o.tried else 1 for _, o in attempts],
        failed=[1 if o.failed else 0 for _, o in attempts],
        given_up=[o.given_up for _, o in attempts],
    )
    written = {(r["merchant_id"], r["message_id"]): (r["customer_id"], r["channel"]) async for r in rows}
    done = [(c, o) for c, o in attempts if (c.merchant_id, c.message_id) in written]
    outgoing = []
    for claimed, outcome in done:
        customer_id, channel = written[claimed.merchant_id, claimed.message_id]
        facts = {
            "merchant_id": claimed.merchant_id,
            "customer_id": customer_id,
            "message_id": claimed.message_id,
            "kind": claimed.kind,
            "channel": channel,
            "cause": claimed.cause,
        }
        if outcome.state is State.SENT:
            outgoing.append(events.delivered(**facts, at=now))
        elif outcome.state is State.FAILED:
            outgoing.append(events.failed(**facts, reason=outcome.reason, at=now))
    await publish(conn, events.TOPIC, outgoing)
    await _skip_overtaken(conn, done, now)
    return done


async def _skip_overtaken(conn: db.Conn, done: Sequence[tuple[Claimed, Outcome]], now: datetime) -> None:
    """A newer one of the family may have come while the attempt was under way, and could not replace it."""
    waiting = [c for c, o in done if o.state is State.PENDING and c.family]
    if not waiting:
        return
    rows = _queries.skip_overtaken(
        conn,
        now=now,
        merchant_ids=[c.merchant_id for c in waiting],
        message_ids=[c.message_id for c in waiting],
    )
    async for row in rows:
        count(metrics.MESSAGES_FINISHED.labels(row["kind"], State.SKIPPED, Reason.REPLACED, ""))


async def unfinished(conn: db.Conn) -> int:
    """Return how many messages are under way or to be tried again, those that are held aside."""
    count: int = await _queries.unfinished(conn)
    return count


async def erase(conn: db.Conn, erased: Sequence[tuple[Customer, datetime]]) -> None:
    """Mark locked customers erased and skip what they have not been sent."""
    columns = {**_columns(c for c, _ in erased), "erased": [at for _, at in erased]}
    await _queries.erase_recipients(conn, **columns)
    async for row in _queries.skip_messages_of_erased(conn, **columns):
        count(metrics.MESSAGES_FINISHED.labels(row["kind"], State.SKIPPED, Reason.CUSTOMER_ERASED, ""))


async def merge(conn: db.Conn, merged: Sequence[tuple[Customer, str]]) -> None:
    """Give the messages of absorbed customers to their survivors and leave an alias; all are locked."""
    columns = {
        "merchant_ids": [m for (m, _), _ in merged],
        "absorbed": [c for (_, c), _ in merged],
        "survivors": [s for _, s in merged],
    }
    await _queries.merge_recipients(conn, **columns)
    await _queries.move_messages(conn, **columns)
