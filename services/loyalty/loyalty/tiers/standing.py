"""Where a customer stands: the tier, and what is missing to the next one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kit.db import Conn
from kit.errors import DomainError
from langganan.loyalty.v1 import tiers_pb2 as pb
from loyalty.accounts.model import Account
from loyalty.events import stamp
from loyalty.programs.model import Program
from loyalty.tiers import store
from loyalty.tiers.model import first_tier
from loyalty.tiers.plugins import TierFacts, TierPlugin


async def standing_of(
    conn: Conn, account: Account, program: Program | None, now: datetime
) -> pb.TierStanding:
    """Return the standing at `now`, `undecided` where the tier plugin, absent or failing, cannot say more.

    Points are read without it, and what has been written is answered.
    """
    message = pb.TierStanding(tier=first_tier(account, program))
    if account.tier_since is not None:
        message.since.CopyFrom(stamp(account.tier_since))
    if account.pinned_at(now):
        message.pinned = True
        if account.pinned_until is not None:
            message.pinned_until.CopyFrom(stamp(account.pinned_until))
    key = (account.merchant_id, account.customer_id)
    try:
        plugin = program.tier_decider() if program else None
        if program is not None and plugin is not None:
            [facts] = await store.facts(conn, [store.window(key, program, now)])
            message.MergeFrom(_progress(plugin, program.tiers, message.tier, facts))
    except DomainError:
        # The plugin stops its own feature alone; `migrate`, its guard or the daily sweep say so in the log.
        message.undecided = True
    return message


def _progress(plugin: TierPlugin, tiers: Sequence[str], tier: str, facts: TierFacts) -> pb.TierStanding:
    """Return what counts and what is missing to the next tier."""
    message = pb.TierStanding(counted=plugin.counted(facts))
    above = tiers.index(tier) + 1 if tier in tiers else 0
    if above < len(tiers):
        message.next_tier = tiers[above]
        message.to_next_tier = plugin.missing(facts, message.next_tier)
    return message
