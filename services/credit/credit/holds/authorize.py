"""Authorize: one lock, one read, the fold, one write for a list of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import asyncpg
from google.type.money_pb2 import Money

from credit import metrics
from credit.accounts import encode, store_limits
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key, Status, StoreRoom
from credit.holds import store
from credit.holds.model import Hold, HoldKey, State, Till, available, declined
from credit.policies.model import Policy
from credit.policies.store import Policies
from kit import db
from kit.batch import LOCKED, LockedType
from kit.counts import count
from kit.errors import DomainError, IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to keep credit aside; ttl is what the till asked for, None: `usual_ttl`."""

    key: Key
    hold_id: str
    amount: Money
    ttl: timedelta | None
    usual_ttl: timedelta
    till: Till
    at: datetime
    dry_run: bool = False

    @property
    def hold_key(self) -> HoldKey:
        """What names the hold."""
        return HoldKey(self.key.merchant_id, self.hold_id)

    @property
    def content(self) -> bytes:
        """What makes two requests the same: what was asked, so that no change of a setting tells them apart.

        The account's digits are not known yet, so units and nanos.
        """
        amount = self.amount
        ttl = None if self.ttl is None else self.ttl // timedelta(microseconds=1)
        return fingerprint(2, self.key.customer_id, amount.currency_code, amount.units, amount.nanos, ttl)


@dataclass(frozen=True, slots=True)
class Decided:
    """A hold in its present state, and its account after the decision."""

    hold: Hold
    account: Account


async def authorize(
    policies: Policies, conn: db.Conn, asks: Sequence[Ask], wait: bool
) -> list[Decided | Exception | LockedType]:
    """Decide a list of requests in order; the lock of each account guards its holds and balances.

    Each shop's policy is the one in force at the batch's latest request.
    """
    ours = await accounts.lock(conn, {a.key for a in asks if not a.dry_run}, wait=wait)
    known, versions = await _known(conn, asks, ours)
    fold = _Fold(await policies.versions(conn, versions))
    for ask, key, found in known:
        fold.know(ask, key, found)
    limited = [(key, ask.till.store_id) for ask, key, found in known if found.store_limited]
    fold.rooms = await store_limits.rooms(conn, limited)
    replies: list[Decided | Exception | LockedType] = []
    for ask in asks:
        if not ask.dry_run and ask.key not in ours:
            replies.append(LOCKED)
            continue
        try:
            replies.append(fold.decide(ask))
        except DomainError as error:
            replies.append(error)
    await _write(conn, fold)
    return replies


async def _known(
    conn: db.Conn, asks: Sequence[Ask], ours: Mapping[Key, Key]
) -> tuple[list[tuple[Ask, Key, store.Known]], dict[str, int]]:
    """Return each request with its account's key and what is known of it, and the policies' versions.

    A second look is taken only for customers who were merged and whom we did not lock: a dry run's.
    """
    latest = max(ask.at for ask in asks)
    keys = [ours.get(ask.key, ask.key) for ask in asks]
    holds = [ask.hold_id for ask in asks]
    known, versions = await store.read_for_authorize(conn, list(zip(keys, holds, strict=True)), latest)
    if any(found.merged_into for found in known):
        keys = [found.merged_into or key for key, found in zip(keys, known, strict=True)]
        known, versions = await store.read_for_authorize(conn, list(zip(keys, holds, strict=True)), latest)
    return list(zip(asks, keys, known, strict=True)), versions


async def _write(conn: db.Conn, fold: _Fold) -> None:
    written = await store.add(conn, list(fold.new.values()))
    if len(written) < len(fold.new):
        # Another customer's request took an id in this very moment. What was decided behind it counts a hold
        # that is none, so the whole batch is decided again: it sees the id then.
        raise asyncpg.SerializationError("a hold's id was taken meanwhile")
    for outcome, many in Counter(fold.new[key].reason or "APPROVED" for key in written).items():
        count(metrics.AUTHORISED.labels(outcome), many)


class _Fold:
    """The accounts and holds of a batch; each decision sees those before it."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = policies
        self._keys: dict[Key, Key] = {}  # of customers: their accounts, the survivor's of one who was merged
        self._accounts: dict[Key, Account] = {}
        self._oldest_due: dict[Key, date | None] = {}
        self._holds: dict[HoldKey, Hold] = {}
        self.rooms: dict[tuple[Key, str], StoreRoom] = {}
        self.new: dict[HoldKey, Hold] = {}

    def know(self, ask: Ask, key: Key, found: store.Known) -> None:
        self._keys[ask.key] = key
        self._accounts[key] = found.account or Account(*key)
        self._oldest_due[key] = found.oldest_due
        if found.hold is not None:
            self._holds[ask.hold_key] = found.hold

    def decide(self, ask: Ask) -> Decided:
        account = self._accounts[self._keys[ask.key]]
        before = self._holds.get(ask.hold_key)
        if before is not None:
            return Decided(_same(ask, before, account.key), account)
        hold = self._hold(ask, account)
        after = replace(account, held=account.held + hold.held)
        if not ask.dry_run:
            self._accounts[after.key] = after
            at = after.key, ask.till.store_id
            if at in self.rooms:
                self.rooms[at] = replace(self.rooms[at], used=self.rooms[at].used + hold.held)
            self._holds[ask.hold_key] = self.new[ask.hold_key] = hold
        return Decided(hold, after)

    def _hold(self, ask: Ask, account: Account) -> Hold:
        amount = encode.positive(ask.amount, encode.currency(account)) if account.is_open else None
        room = self.rooms.get((account.key, ask.till.store_id))
        blocked = self._is_blocked(ask, account)
        reason = declined(account, amount or 0, ask.at, blocked=blocked, room=room)
        return Hold(
            merchant_id=ask.key.merchant_id,
            hold_id=ask.hold_id,
            customer_id=account.customer_id,
            state=State.DECLINED if reason else State.PENDING,
            amount=amount,
            decided_at=ask.at,
            expires_at=None if reason else ask.at + (ask.ttl or ask.usual_ttl),
            reason=reason,
            available=available(account, ask.at, room),
            fingerprint=ask.content,
            till=ask.till,
            store_limited=account.store_limited,
        )

    def _is_blocked(self, ask: Ask, account: Account) -> bool:
        """Ask the shop's policy, where nothing else declines already; raise what is wrong with its plugin."""
        if account.status is not Status.ACTIVE or account.erased:
            return False
        late = account.days_overdue(self._oldest_due[account.key], ask.at)
        return self._policies[ask.key.merchant_id].blocks(late, account.posted)


def _same(ask: Ask, before: Hold, key: Key) -> Hold:
    """Return the hold that the id named before; raise IDEMPOTENCY_CONFLICT if it was another wish."""
    if before.account_key != key:
        raise IdempotencyConflict("hold", ask.hold_id)
    # Voided before this request arrived: nothing was asked yet that could differ.
    if before.fingerprint is not None and before.fingerprint != ask.content:
        raise IdempotencyConflict("hold", ask.hold_id)
    return before
