"""Which tier a customer is in, and when it changes. Pure; mutates the Account given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.accounts.model import Account
from loyalty.programs.model import Program
from loyalty.tiers.plugins import TierFacts

PLUGIN, PINNED = "PLUGIN", "PINNED"


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change of tier; `cause` is PLUGIN or PINNED, `cause_id` the purchase, request or customer."""

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
