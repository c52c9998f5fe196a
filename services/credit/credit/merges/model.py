"""What one account becomes of two whose customers turn out to be the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from credit.accounts.model import Account, Override, Status, StoreLimit


class Standing(IntEnum):
    """How much a shop has decided about an account; the one of which it decided less gives way."""

    NONE = 0
    CLOSED = 1
    BY_A_SALE = 2
    BY_STAFF = 3


@dataclass(frozen=True, slots=True)
class Side:
    """An account, whether staff ever opened it (else only a sale did), and its limits per store."""

    account: Account
    opened_by_staff: bool
    stores: Mapping[str, int] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """How much was decided about it."""
        if not self.account.is_open:
            return Standing.NONE
        if self.account.status is Status.CLOSED:
            return Standing.CLOSED
        return Standing.BY_STAFF if self.opened_by_staff else Standing.BY_A_SALE


def comparable(absorbed: Account, survivor: Account) -> bool:
    """Whether both count in one currency, or one of them in none."""
    if not (absorbed.is_open and survivor.is_open):
        return True
    return (absorbed.currency_code, absorbed.minor_digits) == (survivor.currency_code, survivor.minor_digits)


def united(absorbed: Side, survivor: Side, at: datetime) -> Account:
    """Return the survivor's account after a merge at `at`; both count in one currency.

    Status, limit, terms and zone are those of the side with the higher standing. Of equals the stricter
    status and the smaller limit hold, with the survivor's terms and zone; the limit is the policy's only
    where both were, and never an erased customer's. What is owed, held and in credit adds up, above the limit
    too: then nothing more is approved.
    """
    one, other = survivor.account, absorbed.account
    if absorbed.standing > survivor.standing:
        kept = other
    elif absorbed.standing == survivor.standing:
        kept = _stricter(one, other, at)
    else:
        kept = one
    opened = [a.opened_at for a in (one, other) if a.opened_at is not None]
    return replace(
        kept,
        customer_id=one.customer_id,
        posted=one.posted + other.posted,
        held=one.held + other.held,
        credit_balance=one.credit_balance + other.credit_balance,
        limit_wished=one.limit_wished or other.limit_wished,
        erased=one.erased,
        opened_at=min(opened, default=None),
        by_policy=None if one.erased else kept.by_policy,
        merged_into="",
        store_limited=any(of.limit is not None for of in store_limits(absorbed, survivor)),
        revision=one.revision + other.revision + 1,
    )


def _stricter(one: Account, other: Account, at: datetime) -> Account:
    suspended = Status.SUSPENDED in (one.status, other.status)
    limit = min(one.limit, other.limit)
    return replace(
        one,
        status=Status.SUSPENDED if suspended else one.status,
        limit=limit,
        override=_override(limit, one, other, at),
        by_policy=one.by_policy if other.by_policy else None,  # what staff set by hand, no policy raises
    )


def _override(limit: int, one: Account, other: Account, at: datetime) -> Override | None:
    """Return what of two limits for a time goes on: the smaller of the two in force now, beside `limit`.

    What is more than `limit` lasts as long as the shorter of the two, what is less as long as the longer.
    """
    both = [(account, account.override_at(at)) for account in (one, other)]
    untils = [override.until for _, override in both if override is not None]
    now = min(account.limit if override is None else override.limit for account, override in both)
    if not untils or now == limit:
        return None
    return Override(now, min(untils) if now > limit else max(untils))


def store_limits(absorbed: Side, survivor: Side) -> list[StoreLimit]:
    """Return what of the limits per store holds after a merge, by store; None: a store's is gone.

    They are those of the side with the higher standing; of equals each store's smaller one.
    """
    if absorbed.standing == survivor.standing:
        kept = {
            store: min(side.stores[store] for side in (absorbed, survivor) if store in side.stores)
            for store in {**absorbed.stores, **survivor.stores}
        }
    else:
        kept = dict(max(absorbed, survivor, key=lambda side: side.standing).stores)
    return [StoreLimit(store, kept.get(store)) for store in sorted({**absorbed.stores, **survivor.stores})]


def alias(absorbed: Account, survivor: Account) -> Account:
    """Return what is left under the absorbed customer's id: nothing but the survivor's name."""
    return Account(
        merchant_id=absorbed.merchant_id,
        customer_id=absorbed.customer_id,
        time_zone=absorbed.time_zone,
        erased=absorbed.erased,
        merged_into=survivor.customer_id,
        revision=absorbed.revision,
    )
