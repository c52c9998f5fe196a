"""The only SQL of tiers: changes, what counts in a window, pins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kit import db, events
from kit.batch import LockedType
from kit.counts import count
from kit.db import Conn
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint
from loyalty import metrics
from loyalty.accounts import store as accounts
from loyalty.accounts.model import Account
from loyalty.accounts.store import Key
from loyalty.errors import AccountNotFound, TierNotFound, UntilPassed
from loyalty.events import TOPIC, tier_changed
from loyalty.programs.model import Program
from loyalty.programs.store import Programs
from loyalty.races import second_sees_first
from loyalty.tiers.model import PINNED, TierChange, move
from loyalty.tiers.plugins import TierFacts

_queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class Window:
    """Whose purchases count, after `since` and up to `until`."""

    key: Key
    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant lies in the window."""
        return self.since < at <= self.until


def window(key: Key, program: Program, until: datetime) -> Window:
    """Return the window of the program's tier plugin that ends at `until`."""
    plugin = program.tier_decider()
    days = plugin.window_days if plugin else 0
    return Window(key, until - timedelta(days=days), until)


async def facts(conn: Conn, windows: Sequence[Window]) -> list[TierFacts]:
    """Return what counts in each window, in order."""
    if not windows:
        return []
    rows = _queries.facts(
        conn,
        merchant_ids=[w.key[0] for w in windows],
        customer_ids=[w.key[1] for w in windows],
        sinces=[w.since for w in windows],
        untils=[w.until for w in windows],
    )
    return [TierFacts(row["spend"], row["visits"]) async for row in rows]


async def changes_of(conn: Conn, keys: Iterable[Key]) -> dict[Key, list[TierChange]]:
    """Return the changes of these customers, oldest first."""
    wanted = sorted(set(keys))
    found: dict[Key, list[TierChange]] = {}
    if wanted:
        rows = _queries.changes_of(
            conn, merchant_ids=[k[0] for k in wanted], customer_ids=[k[1] for k in wanted]
        )
        async for row in rows:
            found.setdefault((row["merchant_id"], row["customer_id"]), []).append(
                TierChange(
                    row["merchant_id"],
                    row["customer_id"],
                    row["from_tier"],
                    row["to_tier"],
                    row["cause"],
                    row["cause_id"],
                    row["effective_at"],
                    row["revision"],
                )
            )
    return found


async def append(conn: Conn, changes: Sequence[TierChange]) -> None:
    """Keep changes of tier."""
    if changes:
        await _queries.append_changes(
            conn,
            merchant_ids=[c.merchant_id for c in changes],
            customer_ids=[c.customer_id for c in changes],
            revisions=[c.revision for c in changes],
            from_tiers=[c.from_tier for c in changes],
            to_tiers=[c.to_tier for c in changes],
            causes=[c.cause for c in changes],
            cause_ids=[c.cause_id for c in changes],
            effective_ats=[c.effective_at for c in changes],
        )
        for change in changes:
            count(metrics.TIER_CHANGES.labels(change.cause))


async def clear_reasons(conn: Conn, keys: Iterable[Key]) -> None:
    """Empty what staff wrote with pins of erased customers; the accounts are locked."""
    found = sorted(set(keys))
    await _queries.clear_reasons(conn, merchant_ids=[k[0] for k in found], customer_ids=[k[1] for k in found])


def event_of(change: TierChange) -> events.Outgoing:
    """Return the tier-changed event of a change."""
    return tier_changed(
        change.merchant_id,
        change.customer_id,
        change.from_tier,
        change.to_tier,
        change.cause,
        change.cause_id,
        change.effective_at,
        change.revision,
    )


@dataclass(frozen=True, slots=True)
class Pin:
    """SetTier, decoded; `tier` "" ends the pin."""

    merchant_id: str
    request_id: str
    customer_id: str
    tier: str
    until: datetime | None
    reason: str
    origin: bytes
    now: datetime


class Pins:
    """Writes what staff decided about tiers."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def pin(
        self, conn: Conn, requests: Sequence[Pin], wait: bool
    ) -> list[Account | Exception | LockedType]:
        """Pin each customer and return the account; always waits, for SetTier is rare."""
        del wait
        return [await self._pin(conn, request) for request in requests]

    async def _pin(self, conn: Conn, request: Pin) -> Account | Exception:
        key = (request.merchant_id, request.customer_id)
        # The account's lock comes before anything of the customer is read.
        await accounts.lock_all(conn, [], also=[key])
        book = (await accounts.load(conn, [key])).get(key)
        if book is None:
            return AccountNotFound(request.customer_id)
        account = book.account
        until = request.until.isoformat() if request.until else ""
        mark = fingerprint(1, request.customer_id, request.tier, until, request.reason)
        before = await _queries.pin(conn, merchant_id=request.merchant_id, request_id=request.request_id)
        if before is not None:
            same = before["fingerprint"] == mark
            return account if same else IdempotencyConflict("tier request", request.request_id)
        if request.until is not None and request.until <= request.now:
            return UntilPassed("until lies in the past; give a later instant, or none")
        program = (await self._programs.catalogue(conn, [key[0]])).require(key[0], request.now)
        if request.tier and request.tier not in program.tiers:
            return TierNotFound(f"the program has the tiers {', '.join(program.tiers) or '(none)'}")
        await self._write(conn, request, mark, account.kept(request.reason))
        account.pinned, account.pinned_until = bool(request.tier), request.until if request.tier else None
        change = move(account, request.tier or account.tier, PINNED, request.request_id, request.now)
        book.changed = True
        await accounts.write(conn, [book])
        if change is not None:
            await append(conn, [change])
            await events.publish(conn, TOPIC, [event_of(change)])
        return account

    @staticmethod
    async def _write(conn: Conn, request: Pin, mark: bytes, reason: str) -> None:
        with second_sees_first():
            await _queries.insert_pin(
                conn,
                merchant_id=request.merchant_id,
                request_id=request.request_id,
                customer_id=request.customer_id,
                fingerprint=mark,
                tier=request.tier,
                until=request.until,
                reason=reason,
                origin=request.origin,
                set_at=request.now,
            )
