"""SendReminder: staff say what is owed, whatever was said today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from credit import events as facts
from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.errors import NothingOwed
from credit.invoices import store as invoices
from credit.notices import store
from credit.notices.model import Kind, by_hand
from kit import db, events
from kit.counts import count
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Wish:
    """A reminder to give."""

    key: Key
    request_id: str
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(1, self.key.customer_id, self.staff_ref)


@dataclass(frozen=True, slots=True)
class Reminded:
    """What was said, on which local day of the account, and when."""

    kind: Kind
    local_date: date
    said_at: datetime


async def remind(conn: db.Conn, wishes: Sequence[Wish], wait: bool) -> list[Reminded]:
    """Remind one customer (a list of one) of all that is open, under the account's lock.

    It stands for the day's own notice too, so that nobody hears twice in one morning without being meant to.
    """
    (wish,) = wishes
    await accounts.lock(conn, [wish.key], wait=wait)
    before = await store.find_reminder(conn, wish.key.merchant_id, wish.request_id)
    if before is not None and before["fingerprint"] != wish.content:
        raise IdempotencyConflict("request", wish.request_id)
    account = await accounts.read_open(conn, wish.key)
    if before is not None:
        return [Reminded(Kind(before["kind"]), before["local_date"], before["said_at"])]
    owed = await invoices.due_until(conn, {account.key: date.max})
    said = by_hand(account, wish.at, owed.get(account.key, []))
    if said is None:
        raise NothingOwed(account.customer_id)
    if not await store.add_reminder(conn, said, wish.request_id, wish.staff_ref, wish.content, wish.at):
        raise IdempotencyConflict("request", wish.request_id)
    await store.add(conn, [said], wish.at)
    await events.publish(conn, facts.TOPIC, [facts.payment_notice(said, wish.at, wish.request_id)])
    count(metrics.REMINDERS.labels(said.kind))
    return [Reminded(said.kind, said.local_date, wish.at)]
