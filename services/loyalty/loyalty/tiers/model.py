"""Which tier a customer is in, and when it changes. Pure; mutates the Account given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from loyalty.accounts.model import Account
from loyalty.programs.model import Program
from loyalty.tiers.plugins import TierFacts

PLUGIN, PINNED = "PLUGIN", "PINNED"


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change of tier; `cause` is PLUGIN or PINNED, `cause_id` the purchase, request, customer or day."""

    merchant_id: str
    customer_id: str
    from_tier: str
    to_tier: str
    cause: str
    cause_id: str
    effective_at: datetime
    revision: int


def move(account: Account, to: str, cause: str, cause_id: str, at: datetime) -> TierChange | None:
    """Put an account into a tier; None when it is there already. Changes never go back in time."""
    if account.tier == to:
        return None
    since = max(at, account.tier_since or at)
    account.tier_revision += 1
    change = TierChange(
        account.merchant_id,
        account.customer_id,
        account.tier,
        to,
        cause,
        cause_id,
        since,
        account.tier_revision,
    )
    account.tier, account.tier_since = to, since
    return change


def first_tier(account: Account, program: Program | None) -> str:
    """Return the tier of an account, for one that has none yet the program's lowest."""
    if account.tier or program is None or not program.tiers:
        return account.tier
    return program.tiers[0]


def in_force_at(
    account: Account, changes: Sequence[TierChange], at: datetime, program: Program | None
) -> str:
    """Return the tier just before a sale at `at`; `changes` are needed only for one before tier_since."""
    if account.tier_since is None or at >= account.tier_since:
        return first_tier(account, program)
    before = [change for change in changes if change.effective_at <= at]
    if before:
        return max(before, key=lambda change: change.revision).to_tier
    return program.tiers[0] if program and program.tiers else ""


def can_rise(account: Account, program: Program, at: datetime) -> bool:
    """Tell whether a purchase at `at` may raise the tier, so that it matters what counts."""
    return bool(program.tiers) and account.tier != program.tiers[-1] and not account.pinned_at(at)


def risen(account: Account, program: Program, seen: Sequence[TierFacts], at: datetime) -> str:
    """Return the tier after a purchase at `at`: the highest that `seen` deserves; it never falls here."""
    best = first_tier(account, program)
    if not program.tiers or account.pinned_at(at):
        return account.tier
    rank = {tier: place for place, tier in enumerate(program.tiers)}
    plugin = program.tier_decider()
    deserved = [plugin.decide(facts, program.tiers) for facts in seen] if plugin else []
    return max([best, *deserved], key=lambda tier: rank.get(tier, -1))


def decides_daily(account: Account, program: Program | None, begin: datetime) -> bool:
    """Tell whether the program decides about a tier at the beginning of a local day.

    Not about what has changed since then, nor about a pinned or an erased customer.
    """
    if program is None or program.tier_decider() is None:
        return False
    if account.erased_at is not None or account.pinned_at(begin):
        return False
    return account.tier_since is None or account.tier_since <= begin


def daily_change(
    account: Account, program: Program, seen: Sequence[TierFacts], day: date, begin: datetime
) -> TierChange | None:
    """Put an account into the tier that it deserves at the beginning of a local day: it may fall.

    `seen`: what counts at that instant and, where the customer has bought since, at the latest purchase,
    which would have raised a tier that fell before it.
    """
    plugin = program.tier_decider()
    assert plugin is not None, "ask decides_daily first"
    rank = {tier: place for place, tier in enumerate(program.tiers)}
    deserved = max((plugin.decide(facts, program.tiers) for facts in seen), key=lambda tier: rank[tier])
    return move(account, deserved, PLUGIN, day.isoformat(), begin)
