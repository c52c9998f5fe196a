"""What the models together make of any history: it adds up, without a database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import Cause, Effect, Entry, book
from credit.invoices.model import Refund, TenderKey, issue, pay, take_back, write_off
from credit.payments.model import allocate
from tests.credit.models import AT, KEY, account, charge

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
