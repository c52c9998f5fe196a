"""RecordPayment: books a payment, oldest invoice first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.type.money_pb2 import Money

from credit import events, metrics
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Cause, Effect, Entry, Key
from credit.errors import Overpayment
from credit.holds.model import Till
from credit.invoices import store as invoices
from credit.invoices.books import Books
from credit.payments import store
from credit.payments.model import Payment, allocate, effective
from kit import db
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment to book."""

    key: Key
    payment_id: str
    amount: Money
    method: int
    reference: str
    allow_credit_balance: bool
    occurred_at: datetime | None
    at: datetime
    till: Till

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
    if amount > account.posted and not paid.allow_credit_balance:
        raise Overpayment(account.posted, amount - account.posted)
    return [await _book(conn, paid, account, amount)]


async def _book(conn: db.Conn, paid: Paid, account: Account, amount: int) -> tuple[Payment, Account]:
    at = effective(paid.occurred_at, paid.at)
    owed = await invoices.oldest_open(conn, paid.key, amount)
    parts, left = allocate(amount, [(i.invoice_id, i.outstanding) for i in owed])
    books = Books(accounts={account.key: account})
    for invoice, (_, part) in zip(owed, parts, strict=True):
        books.pay(invoice, paid.payment_id, part, at)
    if left:
        books.book(
            Entry(
                key=account.key,
                cause=Cause.PAYMENT,
                cause_id=paid.payment_id,
                line="",
                effect=Effect.CREDIT_ADDED,
                invoice_id=None,
                posted=0,
                credit=left,
                effective_at=at,
            )
        )
    after = books.accounts[account.key]
    payment = Payment(
        key=paid.key,
        payment_id=paid.payment_id,
        amount=amount,
        method=paid.method,
        reference=paid.reference,
        allocations=tuple(parts),
        unapplied=left,
        outstanding_after=after.posted,
        effective_at=at,
        received_at=paid.at,
    )
    if not await store.add(conn, payment, paid.content, paid.till):
        raise IdempotencyConflict("payment", paid.payment_id)
    # The payment is said before the invoices that it settles.
    books.facts.insert(0, events.payment_received(after, paid.payment_id, amount, parts, left, at, paid.at))
    await books.write(conn)
    metrics.PAYMENTS.inc()
    return payment, after
