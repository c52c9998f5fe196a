"""ExtendHold: keeps a pending hold for longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.errors import HoldNotFound, HoldNotPending
from credit.holds import model, store
from credit.holds.authorize import Decided
from credit.holds.model import HoldKey, State, Till
from kit import db


@dataclass(frozen=True, slots=True)
class Longer:
    """A hold to keep until so long after it was decided; the same again changes nothing more."""

    key: Key
    hold_id: str
    ttl: timedelta
    till: Till


async def extend(conn: db.Conn, wishes: Sequence[Longer], wait: bool) -> list[Decided]:
    """Extend one hold (a list of one); the account's lock orders it with its sale and the sweep."""
    (wish,) = wishes
    await accounts.lock(conn, [wish.key], wait=wait)
    key = HoldKey(wish.key.merchant_id, wish.hold_id)
    hold = (await store.read(conn, [key])).get(key)
    account = (await accounts.read(conn, [wish.key]))[wish.key]
    if hold is None or hold.account_key != account.key:
        raise HoldNotFound(wish.hold_id)
    if hold.state is not State.PENDING:
        raise HoldNotPending(wish.hold_id, hold.state)
    after = model.extend(hold, wish.ttl)
    if after != hold:
        await store.keep(conn, after, wish.till)
    return [Decided(after, account)]
