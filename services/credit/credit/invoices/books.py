"""What one transaction changes on locked accounts, gathered in order and then written at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from credit import events as facts
from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Account, Effect, Entry, Key, book, suspended
from credit.holds import store as holds
from credit.holds.model import Hold, HoldKey, State, Till
from credit.invoices import store
from credit.invoices.marks import Authorised, exception_id
from credit.invoices.model import (
    Charge,
    Invoice,
    InvoiceKey,
    Mark,
    Marked,
    Moved,
    Refund,
    TenderKey,
    issue,
    pay,
    take_back,
    unpay,
    write_off,
)
from kit import db, events, ids
from kit.counts import count
from kit.money import Currency


@dataclass(slots=True)
class Books:
    """The accounts, holds and invoices that a transaction works on, each seen after what came before."""

    accounts: dict[Key, Account] = field(default_factory=dict)
    holds: dict[HoldKey, Hold] = field(default_factory=dict)
    invoices: dict[InvoiceKey, Invoice] = field(default_factory=dict)
    _opened: dict[Key, None] = field(default_factory=dict)
    _closed: list[tuple[Hold, Hold]] = field(default_factory=list)
    _moved: dict[InvoiceKey, None] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _marks: list[Marked] = field(default_factory=list)
    _authorised: list[Authorised] = field(default_factory=list)
    facts: list[events.Outgoing] = field(default_factory=list)

    def open_suspended(self, key: Key, code: str, digits: int, zone: str, at: datetime) -> None:
        """Open the account that a sale needs and nobody opened."""
        self.accounts[key] = suspended(self.accounts[key], code, digits, zone, at)
        self._opened[key] = None

    def charge(self, charge: Charge) -> Invoice:
        """Issue an invoice, using the credit balance, and say so."""
        account = self.accounts[charge.key]
        invoice = self._move(issue(account, charge))
        self.facts.append(facts.invoice_issued(account, invoice))
        if invoice.settled_at is not None:
            self.facts.append(facts.invoice_paid(invoice, charge.cause_id, charge.at))
        count(metrics.INVOICED)
        return invoice

    def capture(self, hold: Hold, captured: int, invoice_id: str, by: Till | None = None) -> None:
        """Turn a pending hold into a charge and release what it kept aside; `by`: None for a sale."""
        assert hold.state is State.PENDING, "only a pending hold is captured"
        after = replace(hold, state=State.CAPTURED, captured=captured, invoice_id=invoice_id, closed_by=by)
        self.holds[hold.key] = after
        self._closed.append((hold, after))
        account = self.accounts[hold.account_key]
        self.accounts[account.key] = replace(account, held=account.held - hold.held)

    def link(self, invoice: Invoice, tender: TenderKey, mark: Mark | None) -> Invoice:
        """Tell an invoice that Capture made which sale it belongs to, and what is amiss with that."""
        linked = replace(
            invoice, purchase_id=tender.purchase_id, tender_id=tender.tender_id, mark=mark or invoice.mark
        )
        return self._move(Moved(linked, ()))

    def authorise(self, invoice: Invoice, found: Sequence[tuple[Mark, int]], note: str, at: datetime) -> None:
        """Mark an unauthorised invoice with what is amiss now that the hold of its sale is known.

        `note` says why staff need not look any more, from `at` on, if it is authorised.
        """
        after = self._move(Moved(replace(invoice, mark=found[0][0] if found else None), ()))
        assert invoice.purchase_id is not None, "only a sale is unauthorised"
        for mark, amount in found:
            self.mark(after, mark, invoice.purchase_id, amount, invoice.issued_at)
        if after.mark is not Mark.UNAUTHORISED:
            self._authorised.append(Authorised(invoice.key, invoice.purchase_id, note, at))

    def refund(self, invoice: Invoice, refund: Refund) -> None:
        """Take a return off an invoice; a paid part becomes credit balance."""
        moved, surplus = take_back(invoice, refund)
        after = self._move(moved)
        if after.settled_at is not None and invoice.settled_at is None:
            self.facts.append(facts.invoice_paid(after, refund.return_id, refund.at))
        if surplus:
            self.mark(after, Mark.RETURN_EXCEEDS_INVOICE, refund.return_id, surplus, refund.at)

    def pay(self, invoice: Invoice, payment_id: str, amount: int, at: datetime) -> None:
        """Put a part of a payment to an invoice."""
        after = self._move(pay(invoice, payment_id, amount, at))
        if after.settled_at is not None:
            self.facts.append(facts.invoice_paid(after, payment_id, at))

    def unpay(self, key: InvoiceKey, payment_id: str, effect: Effect, amount: int, at: datetime) -> None:
        """Take a part of a payment, or of the credit that came of it, from an invoice again."""
        self._move(unpay(self.invoices[key], payment_id, effect, amount, at))

    def write_off(self, invoice: Invoice, request_id: str, at: datetime) -> Invoice:
        """Give up what is still owed on an invoice, and say so."""
        after = self._move(write_off(invoice, request_id, at))
        account = self.accounts[invoice.account_key]
        said = facts.invoice_written_off(account, after, invoice.outstanding, request_id, at)
        self.facts.append(said)
        return after

    def book(self, entry: Entry) -> None:
        """Book an entry that moves no invoice."""
        self.accounts[entry.key] = book(self.accounts[entry.key], [entry])
        self._entries.append(entry)

    def mark(self, invoice: Invoice, mark: Mark, cause_id: str, amount: int, at: datetime) -> None:
        """List what staff must look at."""
        self._marks.append(
            Marked(
                exception_id=exception_id(invoice.key, cause_id, mark),
                invoice=invoice.key,
                customer_id=invoice.customer_id,
                purchase_id=invoice.purchase_id,
                cause_id=cause_id,
                mark=mark,
                amount=amount,
                at=at,
            )
        )

    def list_nobodys(self, tender: TenderKey, amount: int, currency: Currency, at: datetime) -> None:
        """List a tender that nobody can be made to owe: nothing is posted, staff must know."""
        self._marks.append(
            Marked(
                exception_id=ids.derived_uuid(*tender, "nobody's"),
                invoice=InvoiceKey(tender.merchant_id, ids.derived_uuid(*tender)),
                customer_id="",
                purchase_id=tender.purchase_id,
                cause_id=tender.purchase_id,
                mark=Mark.UNAUTHORISED,
                amount=amount,
                at=at,
                currency=currency,
            )
        )

    def _move(self, moved: Moved) -> Invoice:
        invoice = moved.invoice
        self.accounts[invoice.account_key] = book(self.accounts[invoice.account_key], moved.entries)
        self.invoices[invoice.key] = invoice
        self._moved[invoice.key] = None
        self._entries.extend(moved.entries)
        return invoice

    async def write(self, conn: db.Conn) -> None:
        """Write all of it; every account named is locked by this transaction."""
        if self._opened:
            opened = [self.accounts[key] for key in self._opened]
            await accounts.save(conn, opened)
            for account in opened:
                assert account.opened_at is not None, "what a sale opened has its time"
                await accounts.note(conn, account, "SALE", account.opened_at)
        await holds.close(conn, self._closed)
        await store.save(conn, [self.invoices[key] for key in self._moved])
        await accounts.post(conn, self._entries)
        for customer_id, mark in await store.mark(conn, self._marks):
            count(metrics.EXCEPTIONS.labels(mark))
            if not customer_id:
                count(metrics.NOBODYS)
        await store.resolve_authorised(conn, self._authorised)
        await events.publish(conn, facts.TOPIC, self.facts)
