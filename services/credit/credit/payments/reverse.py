"""ReversePayment: a payment turned out not to be one, so all that came of it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from credit import events, metrics
from credit.accounts import store as accounts
from credit.accounts.model import Account, Cause, Effect, Entry, Key
from credit.errors import PaymentReversedAlready
from credit.invoices import store as invoices
from credit.invoices.books import Books
from credit.invoices.model import Charge, InvoiceKey
from credit.payments import store
from credit.payments.model import Payment, State, Undoing, undo
from kit import db
from kit.counts import count
from kit.fingerprint import fingerprint
from kit.ids import derived_uuid


@dataclass(frozen=True, slots=True)
class Reversal:
    """A payment to undo; `reason` as in the contract, without its prefix."""

    key: Key
    request_id: str
    payment_id: str
    reason: str
    note: str
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(
            1, "REVERSE", self.key.customer_id, self.payment_id, self.reason, self.note, self.staff_ref
        )


@dataclass(frozen=True, slots=True)
class Reversed:
    """A reversed payment, its account, and what the reversal did: (invoice id, amount) owed again."""

    payment: Payment
    account: Account
    owed_again: tuple[tuple[str, int], ...] = ()
    taken: int = 0


async def reverse(conn: db.Conn, wishes: Sequence[Reversal], wait: bool) -> list[Reversed]:
    """Reverse one payment (a list of one), the credit that came of it included, under its account's lock."""
    (wish,) = wishes
    await accounts.lock(conn, [wish.key], wait=wait)
    account = (await accounts.read(conn, [wish.key]))[wish.key]
    before = await store.find_for_change(conn, account, wish.request_id, wish.payment_id, wish.content)
    payment = before.found
    if before.done:
        owed_again, taken = await store.undone(conn, payment)
        return [Reversed(payment, account, owed_again, taken)]
    if payment.state is State.REVERSED:
        raise PaymentReversedAlready(wish.payment_id)
    after = replace(payment, state=State.REVERSED, reversed_at=wish.at, reversal_reason=wish.reason)
    books, owed_again, taken = Books(accounts={account.key: account}), (), 0
    if payment.state is State.RECEIVED:
        books, owed_again, taken = await _undone(conn, account, payment, wish.at)
    await store.change(
        conn,
        after,
        kind="REVERSE",
        request_id=wish.request_id,
        content=wish.content,
        note=account.kept(wish.note),
        staff_ref=wish.staff_ref,
        at=wish.at,
    )
    account = books.accounts[account.key]
    books.facts.insert(0, events.payment_reversed(account, after, owed_again, taken, wish.at))
    await books.write(conn)
    count(metrics.REVERSALS.labels(wish.reason))
    return [Reversed(after, account, owed_again, taken)]


async def _undone(
    conn: db.Conn, account: Account, payment: Payment, at: datetime
) -> tuple[Books, tuple[tuple[str, int], ...], int]:
    """Return the books after the reversal, what is owed again on which invoice, and the credit taken."""
    uses = await store.credit_uses(conn, payment)
    ids = {invoice_id for invoice_id, _ in (*payment.allocations, *uses)}
    known = await invoices.find(conn, [InvoiceKey(account.merchant_id, id_) for id_ in ids])
    undoing = undo(payment, {i.invoice_id: i.paid for i in known.values()}, account.credit_balance, uses)
    books = Books(accounts={account.key: account}, invoices=known)
    for effect, parts in ((Effect.CREDIT_UNUSED, undoing.unused), (Effect.UNPAID, undoing.unpaid)):
        for invoice_id, part in parts:
            key = InvoiceKey(account.merchant_id, invoice_id)
            books.unpay(key, payment.payment_id, effect, part, at)
    if undoing.taken:
        books.book(_taken(account.key, payment.payment_id, undoing.taken, at))
    charged = _charge(books, account.key, payment.payment_id, undoing, at)
    return books, (*undoing.unused, *undoing.unpaid, *charged), undoing.taken


def _taken(key: Key, payment_id: str, amount: int, at: datetime) -> Entry:
    return Entry(
        key=key,
        cause=Cause.REVERSAL,
        cause_id=payment_id,
        line="",
        effect=Effect.CREDIT_TAKEN,
        invoice_id=None,
        posted=0,
        credit=-amount,
        effective_at=at,
    )


def _charge(
    books: Books, key: Key, payment_id: str, undoing: Undoing, at: datetime
) -> tuple[tuple[str, int], ...]:
    """Charge anew what no invoice can owe again: the customer has it in money."""
    if not undoing.charged:
        return ()
    invoice = books.charge(
        Charge(
            key=key,
            invoice_id=derived_uuid(key.merchant_id, "reversal", payment_id),
            cause=Cause.REVERSAL,
            cause_id=payment_id,
            amount=undoing.charged,
            at=at,
            due_at_once=True,
        )
    )
    return ((invoice.invoice_id, undoing.charged),)
