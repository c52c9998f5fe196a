"""Void: gives a hold back, or remembers that it is not to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.allowances import store as allowances
from credit.errors import HoldNotFound, HoldNotPending
from credit.holds import store
from credit.holds.authorize import Decided
from credit.holds.model import Hold, HoldKey, State, Till
from kit import db


@dataclass(frozen=True, slots=True)
class Give:
    """A hold to give back."""

    key: Key
    hold_id: str
    till: Till
    at: datetime


async def void(conn: db.Conn, gives: Sequence[Give], wait: bool) -> list[Decided]:
    """Void one hold (a list of one); the account's lock orders it with its Authorize."""
    (give,) = gives
    await accounts.lock(conn, [give.key], wait=wait)
    account = (await accounts.read(conn, [give.key]))[give.key]
    key = HoldKey(give.key.merchant_id, give.hold_id)
    hold = (await store.read(conn, [key])).get(key)
    if hold is None:
        hold = Hold(
            merchant_id=give.key.merchant_id,
            hold_id=give.hold_id,
            customer_id=account.customer_id,
            state=State.VOIDED,
            amount=None,
            decided_at=give.at,
            till=give.till,
        )
        if not await store.add(conn, [hold]):  # another customer's request took the id meanwhile
            raise HoldNotFound(give.hold_id)
        return [Decided(hold, account)]
    if hold.account_key != account.key:
        raise HoldNotFound(give.hold_id)
    if hold.state is State.CAPTURED:
        raise HoldNotPending(give.hold_id, hold.state)
    if hold.state is State.PENDING:
        voided = replace(hold, state=State.VOIDED, closed_by=give.till)
        await store.close(conn, [(hold, voided)])
        if hold.allowance_id is not None:  # locks it, after the account
            await allowances.give_back(conn, key, give.at)
        account = replace(account, held=account.held - hold.held)
        hold = voided
    return [Decided(hold, account)]
