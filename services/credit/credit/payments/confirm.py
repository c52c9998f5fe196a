"""ConfirmPayment: a giro has cleared, so its payment is booked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.errors import PaymentReceivedAlready, PaymentReversedAlready
from credit.payments import receive, store
from credit.payments.model import Payment, State, effective
from kit import db
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A pending payment that is money now."""

    key: Key
    request_id: str
    payment_id: str
    occurred_at: datetime | None
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same; never the caller's clock."""
        return fingerprint(1, "CONFIRM", self.key.customer_id, self.payment_id, self.staff_ref)


async def confirm(conn: db.Conn, wishes: Sequence[Confirmation], wait: bool) -> list[tuple[Payment, Account]]:
    """Book one pending payment (a list of one); the account's lock guards its invoices and balances."""
    (wish,) = wishes
    await accounts.lock(conn, [wish.key], wait=wait)
    account = (await accounts.read(conn, [wish.key]))[wish.key]
    payment = await store.find_for_change(conn, account, wish.request_id, wish.payment_id, wish.content)
    if payment.done:
        return [(payment.found, account)]
    if payment.found.state is State.REVERSED:
        raise PaymentReversedAlready(wish.payment_id)
    if payment.found.state is State.RECEIVED:
        raise PaymentReceivedAlready(wish.payment_id)
    at = effective(wish.occurred_at, wish.at)
    received, books = await receive.receive(conn, account, payment.found, at, wish.at)
    await store.change(
        conn,
        received,
        kind="CONFIRM",
        request_id=wish.request_id,
        content=wish.content,
        note="",
        staff_ref=wish.staff_ref,
        at=wish.at,
    )
    await books.write(conn)
    return [(received, books.accounts[account.key])]
