"""Compares what credit holds: account, invoices, holds, payments, and each notice of what is owed."""

from __future__ import annotations

from collections.abc import Sequence

from local.demo import ask
from local.demo.compare.found import Found
from local.demo.gateway import Gateway
from local.demo.heard import Heard
from local.demo.oracle.books import Books
from local.demo.oracle.credit import CreditBook
from local.demo.oracle.dunning import Listed


async def compare_credit(
    gateway: Gateway, found: Found, books: Books, credit: CreditBook, heard: Heard | None, now: int
) -> None:
    """Compare the credit account of a customer at an instant, at which the clock stands.

    `heard`: what the topics say, None where they are out of reach.
    """
    customer = books.customer_id
    account = await ask.credit_account(gateway, customer)
    held = sum(amount for amount, _ in credit.held.values())
    found.check(
        customer,
        "limit, owed, held, balance and overdue",
        (credit.limit, credit.owed, held, credit.balance, credit.overdue(now)),
        (
            account.limit.units,
            account.posted.units,
            account.held.units,
            account.credit_balance.units,
            account.overdue.units,
        ),
    )
    invoices = await ask.invoices(gateway, customer)
    must = {
        (one.purchase_id, one.tender_id): (one.amount, one.outstanding, one.issued_on, one.due_on)
        for one in credit.invoices
    }
    for key in must.keys() | invoices.keys():
        have = invoices.get(key)
        found.check(customer, f"invoice of {key}", must.get(key), have.facts if have else None)
    names = {invoice.invoice_id: key[0] for key, invoice in invoices.items()}
    payments = await ask.payments(gateway, customer)
    have_paid = {
        payment.payment_id: {
            names.get(part.invoice_id, "?"): part.amount.units for part in payment.allocations
        }
        for payment in payments
    }
    found.check(customer, "payments", credit.payments, have_paid)
    if heard is not None:
        found.check(
            customer,
            "notices of what is owed",
            [(one.kind, one.local_date, _listed(one.overdue), _listed(one.due)) for one in credit.notices],
            heard.owed(customer, names),
        )
    states = {name: await ask.hold(gateway, customer, name) for name in credit.holds}
    found.check_each(customer, "hold", credit.holds, states)
    found.holds_expired += sum(state == "EXPIRED" for state in states.values())
    found.invoices += len(invoices)
    found.payments += len(payments)
    found.outstanding += account.posted.units


def _listed(listed: Sequence[Listed]) -> dict[str, int]:
    return {one.invoice.purchase_id: one.outstanding for one in listed}
