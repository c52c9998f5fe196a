"""What customers says about sales: on-account tenders are posted, returns are taken off their invoices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from credit.accounts import store as accounts
from credit.accounts.model import Account, Cause, Key
from credit.allowances import store as allowances
from credit.allowances.model import Kind, Sold, Use, amiss, marks
from credit.allowances.taking import Taking, begin
from credit.holds import store as holds
from credit.holds.model import HoldKey
from credit.invoices import store
from credit.invoices.books import Books
from credit.invoices.model import Charge, Invoice, InvoiceKey, Mark, Refund, TenderKey, Verdict, judge
from credit.invoices.sales import Nobodys, Sale, refunds, sales
from kit.db import Conn
from kit.errors import DomainError
from kit.events import NotYet, Received
from kit.ids import derived_uuid

Fact = TypeVar("Fact")
Booked = TypeVar("Booked", Sale, Refund)
Refusal = Exception | None


def _read(
    events: list[Received], read: Callable[[Received], list[Fact]]
) -> tuple[list[list[Fact]], list[Refusal]]:
    """Read each event; what cannot be read is refused alone."""
    found: list[list[Fact]] = []
    refusals: list[Refusal] = []
    for event in events:
        try:
            found.append(read(event))
            refusals.append(None)
        except (DomainError, ValueError) as error:
            found.append([])
            refusals.append(error)
    return found, refusals


async def purchase_completed(conn: Conn, events: list[Received]) -> list[Refusal]:
    """Post the on-account tenders of finished sales; what business would refuse is posted and marked."""
    found, refusals = _read(events, sales)
    if not any(found):
        return refusals
    every = [tender for each in found for tender in each if isinstance(tender, Sale)]
    payers = await accounts.read(conn, {s.key for s in every})
    found = [[_led(payers, t) if isinstance(t, Sale) else t for t in each] for each in found]
    every = [tender for each in found for tender in each if isinstance(tender, Sale)]
    books, done = await _known(conn, every, payers) if every else (Books(), set())
    under = await _under(conn, books, [sale for sale in every if sale.tender not in done])
    for place, each in enumerate(found):
        fresh = [t for t in each if isinstance(t, Sale) and t.tender not in done]
        refusals[place] = refusals[place] or _other_currency(books, fresh)
        if refusals[place] is not None:
            continue
        for sale in fresh:
            _post(books, sale, under)
            done.add(sale.tender)
        for tender in each:
            if isinstance(tender, Nobodys):
                books.list_nobodys(tender.tender, tender.amount, tender.currency, tender.at)
    await books.write(conn)
    await under.taking.write(conn)
    return refusals


def _led(payers: Mapping[Key, Account], fact: Booked) -> Booked:
    """Return a sale or refund on the account that it leads to: the survivor's, of a payer who was merged."""
    key = payers[fact.key].key
    return fact if key == fact.key else replace(fact, key=key)


async def _known(
    conn: Conn, every: list[Sale], payers: Mapping[Key, Account]
) -> tuple[Books, set[TenderKey]]:
    """Read what the tenders meet, after the lock; and which of them are posted already."""
    books = Books(accounts={account.key: account for account in payers.values()})
    known = await store.find_by_tender(conn, {s.tender for s in every})
    books.holds = await holds.read(conn, {s.hold_key for s in every if s.hold_key})
    captured = [InvoiceKey(h.merchant_id, h.invoice_id) for h in books.holds.values() if h.invoice_id]
    books.invoices = await store.find(conn, captured) if captured else {}
    done = set(known)
    if len(books.invoices) < len(set(captured)):
        done |= await _in_the_ledger(conn, every)
    return books, done


async def _in_the_ledger(conn: Conn, every: list[Sale]) -> set[TenderKey]:
    """Return the tenders that the ledger has, though somebody deleted an invoice: the audit names that."""
    booked = await accounts.booked(conn, Cause.PURCHASE, [(s.key, s.tender.purchase_id) for s in every])
    return {TenderKey(*mark) for mark in booked}


@dataclass(frozen=True, slots=True)
class _Under:
    """What tills without a line sold under: allowances that tenders name, and what handed-in holds took."""

    taking: Taking
    uses: dict[HoldKey, Use]


async def _under(conn: Conn, books: Books, fresh: list[Sale]) -> _Under:
    """Read allowances, which are locked, and uses; no statement where no till was without its line."""
    named = [(sale.allowance_key, books.accounts[sale.key]) for sale in fresh]
    offline = [key for key, hold in books.holds.items() if hold.allowance_id is not None]
    return _Under(
        await begin(conn, [(key, account) for key, account in named if key is not None], locked=True),
        await allowances.find_uses(conn, offline) if offline else {},
    )


def _other_currency(books: Books, fresh: list[Sale]) -> Refusal:
    """Let a sale wait whose account was opened in another currency: that is mended at the account."""
    for sale in fresh:
        account = books.accounts[sale.key]
        kept = (account.currency_code, account.minor_digits)
        if account.is_open and kept != (sale.currency.code, sale.currency.digits):
            return NotYet(
                f"the sale is in {sale.currency.code} with {sale.currency.digits} minor digits, the account "
                f"in {kept[0]} with {kept[1]}; correct the account with OpenAccount while nothing is booked"
            )
    return None


def _post(books: Books, sale: Sale, under: _Under) -> None:
    """Post one tender by the table "A finished sale is never refused"."""
    if not books.accounts[sale.key].is_open:
        books.open_suspended(sale.key, sale.currency.code, sale.currency.digits, sale.time_zone, sale.at)
    hold = books.holds.get(sale.hold_key) if sale.hold_key else None
    made: Invoice | None = None
    if hold is not None and hold.invoice_id is not None:
        made = books.invoices.get(InvoiceKey(hold.merchant_id, hold.invoice_id))
    alone = made is not None and made.purchase_id is None
    if sale.allowance_key is None:
        verdict = judge(hold, sale.key.customer_id, sale.amount, alone)
        found = marks(under.uses.get(hold.key) if hold else None, verdict, sale.amount)
    else:
        verdict, found = Verdict(), _take(under.taking, sale)
    if verdict.links:
        assert made is not None, "only a captured hold is linked"
        linked = books.link(made, sale.tender, verdict.mark)
        if verdict.mark is not None:
            books.mark(linked, verdict.mark, sale.tender.purchase_id, verdict.excess, sale.at)
        return
    invoice = books.charge(
        Charge(
            key=sale.key,
            invoice_id=derived_uuid(*sale.tender),
            cause=Cause.PURCHASE,
            cause_id=sale.tender.purchase_id,
            amount=sale.amount,
            at=sale.at,
            purchase_id=sale.tender.purchase_id,
            tender_id=sale.tender.tender_id,
            hold_id=sale.hold_id,
            mark=found[0][0] if found else None,
            store_id=sale.store_id,
        )
    )
    if verdict.captures:
        assert hold is not None, "only a known hold is captured"
        books.capture(hold, min(sale.amount, hold.held), invoice.invoice_id)
    for mark, excess in found:
        books.mark(invoice, mark, sale.tender.purchase_id, excess, sale.at)


def _take(taking: Taking, sale: Sale) -> list[tuple[Mark, int]]:
    """Take a sale from the allowance that it names; return what is amiss."""
    assert sale.allowance_key is not None, "only a till without a line sells under an allowance"
    use = taking.take(
        sale.allowance_key,
        Sold(
            key=sale.key,
            use_id=derived_uuid(*sale.tender),
            kind=Kind.SALE,
            store_id=sale.store_id,
            amount=sale.amount,
            currency=sale.currency,
            at=sale.at,
            opened=sale.key in taking.opened,
        ),
    )
    if use is None:
        return [(Mark.UNAUTHORISED, sale.amount)]
    found = amiss(use, sale.amount)
    return [found] if found else []


async def purchase_returned(conn: Conn, events: list[Received]) -> list[Refusal]:
    """Take on-account refunds off their invoices; a sale that is not known yet is waited for."""
    found, refusals = _read(events, refunds)
    named = {refund.key for each in found for refund in each}
    if not named:
        return refusals
    payers = await accounts.read(conn, named)
    books = Books(accounts={account.key: account for account in payers.values()})
    found = [[_led(payers, refund) for refund in each] for each in found]
    every = [refund for each in found for refund in each]
    tenders = await store.find_by_tender(conn, {r.tender for r in every})
    books.invoices = {invoice.key: invoice for invoice in tenders.values()}
    causes: list[tuple[Key, str]] = [(r.key, r.return_id) for r in every]
    done = await accounts.booked(conn, Cause.RETURN, causes)
    for place, each in enumerate(found):
        fresh = [r for r in each if _mark(r) not in done]
        refusals[place] = refusals[place] or _unknown(tenders, fresh)
        if refusals[place] is None:
            for refund in fresh:
                books.refund(books.invoices[tenders[refund.tender].key], refund)
                done.add(_mark(refund))
    await books.write(conn)
    return refusals


def _mark(refund: Refund) -> tuple[str, str, str]:
    return refund.key.merchant_id, refund.return_id, refund.tender.tender_id


def _unknown(tenders: dict[TenderKey, Invoice], fresh: list[Refund]) -> Refusal:
    for refund in fresh:
        invoice = tenders.get(refund.tender)
        if invoice is None:
            return NotYet(f"no invoice of purchase {refund.tender.purchase_id} yet")
        if invoice.account_key != refund.key:
            return ValueError("the return names another account than its sale")
    return None
