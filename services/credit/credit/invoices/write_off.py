"""WriteOff: gives up what is still owed on an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.errors import InvoiceNotFound, InvoiceSettled
from credit.invoices import store
from credit.invoices.books import Books
from credit.invoices.model import Invoice, InvoiceKey
from kit import db
from kit.counts import count
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Loss:
    """A debt to give up."""

    key: Key
    request_id: str
    invoice_id: str
    reason: str
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(1, self.key.customer_id, self.invoice_id, self.reason, self.staff_ref)


async def write_off(conn: db.Conn, losses: Sequence[Loss], wait: bool) -> list[tuple[Invoice, Account]]:
    """Write off one invoice (a list of one); the account's lock guards invoice and balance."""
    (loss,) = losses
    await accounts.lock(conn, [loss.key], wait=wait)
    merchant_id = loss.key.merchant_id
    before = await store.queries.find_write_off(conn, merchant_id=merchant_id, request_id=loss.request_id)
    if before is not None and before["fingerprint"] != loss.content:
        raise IdempotencyConflict("request", loss.request_id)
    key = InvoiceKey(merchant_id, loss.invoice_id)
    invoice = (await store.find(conn, [key])).get(key)
    account = (await accounts.read(conn, [loss.key]))[loss.key]
    if invoice is None or invoice.account_key != account.key:
        raise InvoiceNotFound(loss.invoice_id)
    if before is not None:
        return [(invoice, account)]
    if not invoice.outstanding:
        raise InvoiceSettled(loss.invoice_id)
    written = await store.queries.add_write_off(
        conn,
        merchant_id=merchant_id,
        request_id=loss.request_id,
        customer_id=account.customer_id,
        invoice_id=loss.invoice_id,
        amount=invoice.outstanding,
        reason=account.kept(loss.reason),
        staff_ref=loss.staff_ref,
        fingerprint=loss.content,
        written_off_at=loss.at,
    )
    if written is None:
        raise IdempotencyConflict("request", loss.request_id)
    books = Books(accounts={account.key: account})
    after = books.write_off(invoice, loss.request_id, loss.at)
    await books.write(conn)
    count(metrics.WRITE_OFFS)
    return [(after, books.accounts[account.key])]
