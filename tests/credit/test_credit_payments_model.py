"""How a payment meets invoices and how it is undone, by table and by random figures, without a database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.payments.model import Payment, State, Undoing, allocate, effective, undo
from tests.credit.models import AT, KEY


def payment(*allocations, unapplied=0):
    """A payment that went to invoices in this order."""
    return Payment(
        key=KEY,
        payment_id="p",
        state=State.RECEIVED,
        amount=sum(a for _, a in allocations) + unapplied,
        method=1,
        reference="",
        named=(),
        allocations=allocations,
        unapplied=unapplied,
        outstanding_after=0,
        effective_at=AT,
        received_at=AT,
        cleared_at=AT,
    )


@pytest.mark.parametrize(
    ("of", "paid", "credit_balance", "uses", "undone"),
    [
        (payment(("a", 30)), {"a": 30}, 0, [], Undoing((), (("a", 30),), 0, 0)),
        # The newest allocation first; of an invoice that others paid too, only its own part.
        (payment(("a", 30), ("b", 5)), {"a": 50, "b": 9}, 0, [], Undoing((), (("b", 5), ("a", 30)), 0, 0)),
        # What became credit is taken from what is there, though other credit lies there too.
        (payment(("a", 30), unapplied=20), {"a": 30}, 90, [], Undoing((), (("a", 30),), 20, 0)),
        # Used by later invoices: those are owed again, the newest first.
        (
            payment(unapplied=20),
            {"c": 15, "b": 9},
            0,
            [("c", 15), ("b", 9)],
            Undoing((("c", 15), ("b", 5)), (), 20, 0),
        ),
        (payment(unapplied=20), {"c": 15}, 12, [("c", 15)], Undoing((("c", 8),), (), 20, 0)),
        # Paid out in money: charged anew.
        (payment(unapplied=20), {}, 5, [], Undoing((), (), 5, 15)),
        # A return turned what it had paid into credit.
        (payment(("a", 30)), {"a": 10}, 20, [], Undoing((), (("a", 10),), 20, 0)),
        (payment(("a", 30)), {"a": 0, "b": 20}, 0, [("b", 20)], Undoing((("b", 20),), (), 20, 10)),
        # An invoice that it paid partly, and its credit too, gives back both.
        (payment(("a", 30), unapplied=9), {"a": 35}, 0, [("a", 9)], Undoing((("a", 5),), (("a", 30),), 5, 4)),
    ],
)
def test_how_a_payment_is_undone(of, paid, credit_balance, uses, undone):
    assert undo(of, paid, credit_balance, uses) == undone


amounts = st.integers(0, 100)


@given(
    st.lists(st.integers(1, 100), max_size=4),
    amounts,
    amounts,
    st.lists(st.tuples(amounts, amounts), max_size=4),
)
def test_a_reversal_makes_owed_exactly_what_was_paid_and_takes_nowhere_more_than_there_is(
    shares, unapplied, credit_balance, invoices
):
    allocations = [(f"i{n}", share) for n, share in enumerate(shares)]
    paid = {f"i{n}": 0 for n in range(max(len(shares), len(invoices)))}
    paid |= {f"i{n}": now for n, (now, _) in enumerate(invoices)}
    uses = [(f"i{n}", used) for n, (_, used) in enumerate(invoices)]
    of = payment(*allocations, unapplied=unapplied)
    undoing = undo(of, paid, credit_balance, uses)
    unused, unpaid = sum(a for _, a in undoing.unused), sum(a for _, a in undoing.unpaid)
    assert unpaid + undoing.taken + undoing.charged == of.amount
    assert 0 <= undoing.taken - unused <= credit_balance
    for invoice_id, now in paid.items():
        off = [a for i, a in (*undoing.unused, *undoing.unpaid) if i == invoice_id]
        assert all(off)
        assert sum(off) <= now
    # Money is charged anew only where no credit and no invoice is left to take it from.
    if undoing.charged:
        assert undoing.taken - unused == credit_balance
        assert all(
            min(used, paid[i] - dict(undoing.unpaid).get(i, 0)) == dict(undoing.unused).get(i, 0)
            for i, used in uses
        )


@given(st.integers(1, 10_000), st.lists(st.integers(1, 3_000), max_size=12))
def test_a_payment_fills_invoices_in_order_and_loses_nothing(amount, owed):
    parts, rest = allocate(amount, [(str(n), o) for n, o in enumerate(owed)])
    assert sum(p for _, p in parts) + rest == amount
    assert [n for n, _ in parts] == [str(n) for n in range(len(parts))]
    assert all(p == owed[int(n)] for n, p in parts[:-1])
    assert rest == max(0, amount - sum(owed))


@pytest.mark.parametrize(
    ("occurred", "believed"),
    [
        (timedelta(0), True),
        (timedelta(days=-30), True),
        (timedelta(days=-30, seconds=-1), False),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
        (None, False),
    ],
)
def test_which_time_a_payment_has(occurred, believed):
    when = None if occurred is None else AT + occurred
    assert effective(when, AT) == (when if believed else AT)
