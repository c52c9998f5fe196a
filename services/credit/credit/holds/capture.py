"""Capture: charges a hold without a purchase, in full or in part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.type.money_pb2 import Money

from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Cause, Key
from credit.allowances import store as allowances
from credit.allowances.model import marks
from credit.errors import CaptureExceedsHold, HoldNotFound, HoldNotPending
from credit.holds import store
from credit.holds.authorize import Decided
from credit.holds.model import Hold, HoldKey, State, Till
from credit.invoices import store as invoices
from credit.invoices.books import Books
from credit.invoices.model import Charge, InvoiceKey, Verdict
from kit import db
from kit.errors import IdempotencyConflict
from kit.ids import derived_uuid


@dataclass(frozen=True, slots=True)
class Take:
    """A charge of a hold; amount None: all of it."""

    key: Key
    hold_id: str
    amount: Money | None
    till: Till
    at: datetime


async def capture(conn: db.Conn, takes: Sequence[Take], wait: bool) -> list[Decided]:
    """Capture one hold (a list of one); the account's lock guards hold, balances and invoice."""
    (take,) = takes
    await accounts.lock(conn, [take.key], wait=wait)
    account = (await accounts.read(conn, [take.key]))[take.key]
    key = HoldKey(take.key.merchant_id, take.hold_id)
    hold = (await store.read(conn, [key])).get(key)
    if hold is None or hold.account_key != account.key:
        raise HoldNotFound(take.hold_id)
    if hold.state not in (State.PENDING, State.CAPTURED):
        raise HoldNotPending(take.hold_id, hold.state)
    assert hold.amount is not None, "what was approved has an amount"
    wished = hold.amount if take.amount is None else encode.positive(take.amount, encode.currency(account))
    if hold.state is State.CAPTURED:
        await _same(conn, hold, wished)
        return [Decided(hold, account)]
    if wished > hold.amount:
        raise CaptureExceedsHold(hold.amount)
    use = (await allowances.find_uses(conn, [key])).get(key) if hold.allowance_id is not None else None
    found = marks(use, Verdict(captures=True), wished)
    books = Books(accounts={account.key: account})
    invoice = books.charge(
        Charge(
            key=account.key,
            invoice_id=derived_uuid(take.key.merchant_id, "hold", take.hold_id),
            cause=Cause.CAPTURE,
            cause_id=take.hold_id,
            amount=wished,
            at=take.at,
            hold_id=take.hold_id,
            # Where it was approved: there it counted while it was held, and there the room was looked at.
            store_id=await store.store_of(conn, key),
            mark=found[0][0] if found else None,
        )
    )
    books.capture(hold, wished, invoice.invoice_id, take.till)
    for mark, amount in found:
        books.mark(invoice, mark, take.hold_id, amount, take.at)
    await books.write(conn)
    return [Decided(books.holds[key], books.accounts[account.key])]


async def _same(conn: db.Conn, hold: Hold, wished: int) -> None:
    """Let a repeated Capture pass; raise where a sale used the hold, or another amount was captured."""
    assert hold.invoice_id is not None, "what was captured has an invoice"
    key = InvoiceKey(hold.merchant_id, hold.invoice_id)
    invoice = (await invoices.find(conn, [key]))[key]
    if invoice.invoice_id != derived_uuid(hold.merchant_id, "hold", hold.hold_id):
        raise HoldNotPending(hold.hold_id, State.CAPTURED)
    if hold.captured != wished:
        raise IdempotencyConflict("capture of hold", hold.hold_id)
