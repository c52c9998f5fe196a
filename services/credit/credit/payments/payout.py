"""PayOut: returns credit balance to the customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.type.money_pb2 import Money

from credit import events, metrics
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Cause, Effect, Entry, Key
from credit.errors import CreditBalanceExceeded
from credit.holds.model import Till
from credit.invoices.books import Books
from credit.payments import store
from kit import db
from kit.counts import count
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Wanted:
    """Credit balance to return."""

    key: Key
    payout_id: str
    amount: Money
    method: int
    reference: str
    at: datetime
    till: Till

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        amount = self.amount
        money = (amount.currency_code, amount.units, amount.nanos)
        return fingerprint(1, self.key.customer_id, money, self.method, self.reference)


async def pay_out(conn: db.Conn, wishes: Sequence[Wanted], wait: bool) -> list[tuple[store.Payout, Account]]:
    """Return credit balance once (a list of one); the account's lock guards the balance."""
    (wish,) = wishes
    await accounts.lock(conn, [wish.key], wait=wait)
    before = await store.find_payout(conn, wish.key.merchant_id, wish.payout_id)
    if before is not None and before[1] != wish.content:
        raise IdempotencyConflict("payout", wish.payout_id)
    account = await accounts.read_open(conn, wish.key)
    if before is not None:
        return [(before[0], account)]
    amount = encode.positive(wish.amount, encode.currency(account))
    # A hold that was approved on the credit balance stays good: its part of the balance is not returned.
    payable = account.payable_at(wish.at)
    if amount > payable:
        raise CreditBalanceExceeded(account.credit_balance, payable)
    books = Books(accounts={account.key: account})
    books.book(
        Entry(
            key=account.key,
            cause=Cause.PAYOUT,
            cause_id=wish.payout_id,
            line="",
            effect=Effect.PAID_OUT,
            invoice_id=None,
            posted=0,
            credit=-amount,
            effective_at=wish.at,
        )
    )
    after = books.accounts[account.key]
    payout = store.Payout(
        account.key,
        wish.payout_id,
        amount,
        wish.method,
        account.kept(wish.reference),
        after.credit_balance,
        wish.at,
    )
    if not await store.add_payout(conn, payout, wish.content, wish.till):
        raise IdempotencyConflict("payout", wish.payout_id)
    books.facts.append(events.credit_paid_out(after, wish.payout_id, amount, wish.at))
    await books.write(conn)
    count(metrics.PAYOUTS)
    return [(payout, after)]
