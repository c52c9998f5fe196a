"""What becomes of an invoice, by table and by random histories, without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import Cause, Effect, Entry, book
from credit.holds.model import State
from credit.invoices.model import Mark, Refund, TenderKey, Verdict, issue, judge, pay, take_back, write_off
from credit.payments.model import allocate
from tests.credit.models import AT, KEY, account, charge, hold


@pytest.mark.parametrize(
    ("found", "amount", "alone", "verdict"),
    [
        (hold(), 50, False, Verdict(captures=True)),
        (hold(), 1, False, Verdict(captures=True)),
        (hold(), 51, False, Verdict(captures=True, mark=Mark.OVER_HOLD, excess=1)),
        (hold(State.EXPIRED), 50, False, Verdict(mark=Mark.LATE, excess=50)),
        (hold(State.VOIDED), 50, False, Verdict(mark=Mark.VOIDED_THEN_SOLD, excess=50)),
        (hold(State.DECLINED), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (replace(hold(State.CAPTURED), captured=40), 40, True, Verdict(links=True)),
        (replace(hold(State.CAPTURED), captured=40), 1, True, Verdict(links=True)),
        (
            replace(hold(State.CAPTURED), captured=40),
            50,
            True,
            Verdict(links=True, mark=Mark.OVER_HOLD, excess=10),
        ),
        (hold(State.CAPTURED), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (hold(customer="other"), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (None, 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
    ],
)
def test_a_finished_sale_is_never_refused(found, amount, alone, verdict):
    assert judge(found, "customer", amount, alone) == verdict


def test_every_state_of_a_hold_has_a_verdict():
    for state in State:
        assert isinstance(judge(hold(state), "customer", 1, False), Verdict)


steps = st.one_of(
    st.tuples(st.just("sale"), st.integers(1, 1_000)),
    st.tuples(st.just("pay"), st.integers(1, 1_500)),
    st.tuples(st.just("return"), st.integers(0, 20), st.integers(1, 1_000)),
    st.tuples(st.just("write off"), st.integers(0, 20)),
)


@given(st.lists(steps, max_size=30))
def test_random_histories_add_up(history):
    """What was sold, less what was returned, paid and given up, is what is owed less what the shop owes."""
    of, invoices, left = account(limit=0), [], {}
    sold = paid = refunded = 0
    for step in history:
        if step[0] == "sale":
            moved = issue(of, charge(step[1], len(invoices)))
            of = book(of, moved.entries)
            left[len(invoices)] = step[1]
            invoices.append(moved.invoice)
            sold += step[1]
        elif step[0] == "pay":
            parts, rest = allocate(
                step[1], [(str(n), i.outstanding) for n, i in enumerate(invoices) if i.outstanding]
            )
            for place, part in parts:
                moved = pay(invoices[int(place)], "x", part, AT)
                invoices[int(place)] = moved.invoice
                of = book(of, moved.entries)
            of = book(of, [Entry(KEY, Cause.PAYMENT, "x", "", Effect.CREDIT_ADDED, None, 0, rest, AT)])
            paid += step[1]
        elif step[0] == "write off":
            for invoice in invoices[step[1] : step[1] + 1]:
                if invoice.outstanding:
                    moved = write_off(invoice, "w", AT)
                    invoices[step[1]] = moved.invoice
                    of = book(of, moved.entries)
        elif invoices:
            place = step[1] % len(invoices)
            amount = min(step[2], left[place])
            refund = Refund(TenderKey("toko", "p", "t1"), KEY, "r", amount, AT)
            moved, surplus = take_back(invoices[place], refund)
            assert surplus == 0
            invoices[place] = moved.invoice
            of = book(of, moved.entries)
            left[place] -= amount
            refunded += amount
        assert of.posted == sum(i.outstanding for i in invoices)
        assert all((i.outstanding == 0) == (i.settled_at is not None) for i in invoices)
    given_up = sum(i.written_off for i in invoices)
    assert of.posted - of.credit_balance == sold - paid - refunded - given_up
    assert all(i.returned == i.amount - left[n] for n, i in enumerate(invoices))


def test_a_refund_beyond_the_invoice_is_surplus():
    invoice = replace(issue(account(), charge(100)).invoice, paid=30)
    moved, surplus = take_back(invoice, Refund(TenderKey("toko", "p", "t1"), KEY, "r", 150, AT))
    assert surplus == 50
    assert (moved.invoice.outstanding, moved.invoice.paid, moved.invoice.returned) == (0, 0, 100)
    assert [(e.effect, e.posted, e.credit) for e in moved.entries] == [
        (Effect.RETURNED, -70, 0),
        (Effect.CREDIT_ADDED, 0, 30),
    ]
