"""What a payment does to the books when it is received, at once or when its giro clears."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from credit import events, metrics
from credit.accounts.model import Account, Cause, Effect, Entry
from credit.errors import InvoiceNotFound
from credit.invoices import store as invoices
from credit.invoices.books import Books
from credit.invoices.model import Invoice, InvoiceKey
from credit.payments.model import Payment, State, allocate
from kit import db
from kit.counts import count


async def receive(
    conn: db.Conn, account: Account, payment: Payment, at: datetime, heard_at: datetime
) -> tuple[Payment, Books]:
    """Put a payment to the invoices of its locked account, as of `at`; the books are not written yet."""
    owed = await _owed(conn, payment)
    parts, left = allocate(payment.amount, [(i.invoice_id, i.outstanding) for i in owed])
    books = Books(accounts={account.key: account})
    for invoice, (_, part) in zip(owed, parts, strict=False):
        books.pay(invoice, payment.payment_id, part, at)
    if left:
        books.book(
            Entry(
                key=account.key,
                cause=Cause.PAYMENT,
                cause_id=payment.payment_id,
                line="",
                effect=Effect.CREDIT_ADDED,
                invoice_id=None,
                posted=0,
                credit=left,
                effective_at=at,
            )
        )
    after = books.accounts[account.key]
    received = replace(
        payment,
        state=State.RECEIVED,
        allocations=tuple(parts),
        unapplied=left,
        outstanding_after=after.posted,
        cleared_at=at,
    )
    # The payment is said before the invoices that it settles.
    books.facts.insert(0, events.payment_received(after, received, at, heard_at))
    count(metrics.PAYMENTS)
    return received, books


async def named(conn: db.Conn, payment: Payment) -> list[Invoice]:
    """Return the invoices that a payment names, its customer's own; raise INVOICE_NOT_FOUND."""
    keys = [InvoiceKey(payment.key.merchant_id, invoice_id) for invoice_id in payment.named]
    found = await invoices.find(conn, keys) if keys else {}
    for key in keys:
        if key not in found or found[key].account_key != payment.key:
            raise InvoiceNotFound(key.invoice_id)
    return [found[key] for key in keys]


async def _owed(conn: db.Conn, payment: Payment) -> list[Invoice]:
    """Return open invoices in the order in which the payment goes to them: as many as it reaches, or more."""
    first = await named(conn, payment)
    oldest = await invoices.oldest_open(conn, payment.key, payment.amount)
    owed = {i.invoice_id: i for i in (*first, *oldest) if i.outstanding}
    return list(owed.values())
