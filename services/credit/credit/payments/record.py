"""RecordPayment: books a payment, or notes one that clears later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.type.money_pb2 import Money

from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.errors import Overpayment
from credit.holds.model import Till
from credit.payments import receive, store
from credit.payments.model import Payment, State, effective
from kit import db
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment to book; `clears_later`: only to note, for its bank may still refuse it."""

    key: Key
    payment_id: str
    amount: Money
    method: int
    reference: str
    allow_credit_balance: bool
    occurred_at: datetime | None
    at: datetime
    till: Till
    named: tuple[str, ...] = ()
    clears_later: bool = False

    @property
    def content(self) -> bytes:
        """What makes two requests the same; never the caller's clock."""
        amount = self.amount
        return fingerprint(
            1,
            self.key.customer_id,
            amount.currency_code,
            amount.units,
            amount.nanos,
            self.method,
            self.reference,
            self.allow_credit_balance,
            *([self.named] if self.named else []),
        )


async def record(conn: db.Conn, payments: Sequence[Paid], wait: bool) -> list[tuple[Payment, Account]]:
    """Book one payment (a list of one); the account's lock guards its invoices and balances."""
    (paid,) = payments
    await accounts.lock(conn, [paid.key], wait=wait)
    before = await store.find(conn, paid.key, paid.payment_id)
    if before is not None and before[1] != paid.content:
        raise IdempotencyConflict("payment", paid.payment_id)
    account = await accounts.read_open(conn, paid.key)
    if before is not None:
        return [(before[0], account)]
    amount = encode.positive(paid.amount, encode.currency(account))
    at = effective(paid.occurred_at, paid.at)
    payment = Payment(
        key=account.key,
        payment_id=paid.payment_id,
        state=State.PENDING,
        amount=amount,
        method=paid.method,
        reference=account.kept(paid.reference),
        named=paid.named,
        allocations=(),
        unapplied=0,
        outstanding_after=account.posted,
        effective_at=at,
        received_at=paid.at,
    )
    if paid.clears_later:
        await receive.named(conn, payment)
        await _add(conn, payment, paid)
        return [(payment, account)]
    if amount > account.posted and not paid.allow_credit_balance:
        raise Overpayment(account.posted, amount - account.posted)
    received, books = await receive.receive(conn, account, payment, at, paid.at)
    await _add(conn, received, paid)
    await books.write(conn)
    return [(received, books.accounts[account.key])]


async def _add(conn: db.Conn, payment: Payment, paid: Paid) -> None:
    if not await store.add(conn, payment, paid.content, paid.till):
        raise IdempotencyConflict("payment", paid.payment_id)
