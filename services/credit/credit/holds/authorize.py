"""Authorize: one lock, one read, the fold, one write for a list of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from google.type.money_pb2 import Money

from credit import metrics
from credit.accounts import encode, stores
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key, Status, StoreRoom
from credit.holds import store
from credit.holds.model import Hold, HoldKey, State, Till, available, declined
from credit.policies.model import Policy
from credit.policies.store import Policies
from kit import db
from kit.batch import LOCKED, LockedType
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
    def at_store(self) -> tuple[Key, str]:
        """The account and the store that asks."""
        return self.key, self.till.store_id

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
    asked = [(a.key, a.hold_id) for a in asks]
    known, versions = await store.read_for_authorize(conn, asked, max(a.at for a in asks))
    fold = _Fold(await policies.versions(conn, versions))
    for ask, found in zip(asks, known, strict=True):
        fold.know(ask, found)
    limited = [a.at_store for a, found in zip(asks, known, strict=True) if found.store_limited]
    fold.rooms = await stores.rooms(conn, limited)
    replies: list[Decided | Exception | LockedType] = []
    for ask in asks:
        if not ask.dry_run and ask.key not in ours:
            replies.append(LOCKED)
            continue
        try:
            replies.append(fold.decide(ask))
        except DomainError as error:
            replies.append(error)
    await _write(conn, fold, asks, replies)
    return replies


async def _write(
    conn: db.Conn, fold: _Fold, asks: Sequence[Ask], replies: list[Decided | Exception | LockedType]
) -> None:
    written = await store.add(conn, list(fold.new.values()))
    for place, ask in enumerate(asks):
        if ask.dry_run or ask.hold_key not in fold.new:
            continue
        if ask.hold_key not in written:  # another customer's request took the id in this very moment
            replies[place] = IdempotencyConflict("hold", ask.hold_id)
    for key in written:
        metrics.AUTHORISED.labels(fold.new[key].reason or "APPROVED").inc()


class _Fold:
    """The accounts and holds of a batch; each decision sees those before it."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = policies
        self._accounts: dict[Key, Account] = {}
        self._oldest_due: dict[Key, date | None] = {}
        self._holds: dict[HoldKey, Hold] = {}
        self.rooms: dict[tuple[Key, str], StoreRoom] = {}
        self.new: dict[HoldKey, Hold] = {}

    def know(self, ask: Ask, found: store.Known) -> None:
        self._accounts[ask.key] = found.account or Account(ask.key.merchant_id, ask.key.customer_id)
        self._oldest_due[ask.key] = found.oldest_due
        if found.hold is not None:
            self._holds[ask.hold_key] = found.hold

    def decide(self, ask: Ask) -> Decided:
        account = self._accounts[ask.key]
        before = self._holds.get(ask.hold_key)
        if before is not None:
            return Decided(_same(ask, before), account)
        hold = self._hold(ask, account)
        after = replace(account, held=account.held + hold.held)
        if not ask.dry_run:
            self._accounts[ask.key] = after
            room = self.rooms.get(ask.at_store)
            if room is not None:
                self.rooms[ask.at_store] = replace(room, used=room.used + hold.held)
            self._holds[ask.hold_key] = self.new[ask.hold_key] = hold
        return Decided(hold, after)

    def _hold(self, ask: Ask, account: Account) -> Hold:
        amount = encode.positive(ask.amount, encode.currency(account)) if account.is_open else None
        room = self.rooms.get(ask.at_store)
        blocked = self._is_blocked(ask, account)
        reason = declined(account, amount or 0, ask.at, blocked=blocked, room=room)
        return Hold(
            merchant_id=ask.key.merchant_id,
            hold_id=ask.hold_id,
            customer_id=ask.key.customer_id,
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
        late = account.days_overdue(self._oldest_due[ask.key], ask.at)
        return self._policies[ask.key.merchant_id].blocks(late, account.posted)


def _same(ask: Ask, before: Hold) -> Hold:
    """Return the hold that the id named before; raise IDEMPOTENCY_CONFLICT if it was another wish."""
    if before.customer_id != ask.key.customer_id:
        raise IdempotencyConflict("hold", ask.hold_id)
    # Voided before this request arrived: nothing was asked yet that could differ.
    if before.fingerprint is not None and before.fingerprint != ask.content:
        raise IdempotencyConflict("hold", ask.hold_id)
    return before
