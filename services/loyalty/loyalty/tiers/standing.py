"""Where a customer stands: the tier, and what is missing to the next one."""

from __future__ import annotations

from datetime import datetime

from kit.db import Conn
from langganan.loyalty.v1 import tiers_pb2 as pb
from loyalty.accounts.model import Account
from loyalty.events import stamp
from loyalty.programs.model import Program
from loyalty.tiers import store
from loyalty.tiers.model import first_tier


async def standing_of(
    conn: Conn, account: Account, program: Program | None, now: datetime
) -> pb.TierStanding:
    """Return the standing at `now`; raises PLUGIN_MISSING where the program's tier plugin is absent."""
    message = pb.TierStanding(tier=first_tier(account, program))
    if account.tier_since is not None:
        message.since.CopyFrom(stamp(account.tier_since))
    if account.pinned_at(now):
        message.pinned = True
        if account.pinned_until is not None:
            message.pinned_until.CopyFrom(stamp(account.pinned_until))
    plugin = program.tier_decider() if program else None
    if program is None or plugin is None:
        return message
    key = (account.merchant_id, account.customer_id)
    [facts] = await store.facts(conn, [store.window(key, program, now)])
    message.counted = plugin.counted(facts)
    above = program.tiers.index(message.tier) + 1 if message.tier in program.tiers else 0
    if above < len(program.tiers):
        message.next_tier = program.tiers[above]
        message.to_next_tier = plugin.missing(facts, message.next_tier)
    return message
