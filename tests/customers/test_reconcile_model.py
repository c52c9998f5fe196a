"""What reconcile calls a difference: nothing where both say the same, and each single thing that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.reconcile.model import (
    AtCredit,
    AtLoyalty,
    Back,
    OnAccount,
    Points,
    Sold,
    compare_credit,
    compare_loyalty,
)

PAYER = "0000000000000"
amounts = st.integers(1, 10**12)


def a_sale(amount: int = 70_000, refund: int = 20_000) -> Sold:
    return Sold("toko", "p1", PAYER, [OnAccount("t", PAYER, amount)], [Back("r1", {"t": refund})])


def at_loyalty(points: int = 70, back: int = 20) -> AtLoyalty:
    returns = {"r1": (Points(back, back), Points(0, 0))}
    return AtLoyalty(Points(points, points), Points(5, 5), returns)


def at_credit(amount: int = 70_000, refund: int = 20_000, surplus: int = 0) -> dict[str, AtCredit]:
    return {"t": AtCredit(amount, amount, "", {"r1": (refund - surplus, surplus)})}


@given(amount=amounts, refund=st.integers(0, 10**12), surplus=st.integers(0, 10**6))
def test_what_is_booked_as_it_was_sold_is_no_difference(amount: int, refund: int, surplus: int) -> None:
    sold = a_sale(amount, refund)
    assert compare_credit(sold, at_credit(amount, refund, min(surplus, refund))) == []
    assert compare_loyalty(sold, at_loyalty(amount, refund)) == []


@given(found=st.integers(0, 10**12))
def test_entries_that_say_another_figure_are_named_with_both(found: int) -> None:
    booked = replace(at_loyalty(), earned=Points(70, found))
    differences = compare_loyalty(a_sale(), booked)
    assert [d.must for d in differences] == ([] if found == 70 else ["70"])
    if found not in (0, 70, 140):
        assert differences[0].found == str(found)


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        (None, ("the booking of purchase p1", "once", "missing")),
        (replace(at_loyalty(), returns={}), ("return r1 of purchase p1", "once", "missing")),
        (
            replace(at_loyalty(), earned=Points(70, 140)),
            ("entries of points earned of purchase p1", "70", "140, double"),
        ),
        (
            replace(at_loyalty(), redeemed=Points(5, 0)),
            ("entries of points redeemed of purchase p1", "5", "missing"),
        ),
    ],
)
def test_what_loyalty_lacks_or_has_twice(booked: AtLoyalty | None, told: tuple[str, str, str]) -> None:
    assert [(d.what, d.must, d.found) for d in compare_loyalty(a_sale(), booked)] == [told]


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        ({}, ("the invoice of tender t of purchase p1", "70000", "missing")),
        (at_credit(refund=0), ("entries of return r1 on tender t of purchase p1", "20000", "missing")),
        (
            at_credit(refund=40_000),
            ("entries of return r1 on tender t of purchase p1", "20000", "40000, double"),
        ),
        (at_credit(amount=60_000), ("the invoice of tender t of purchase p1", "70000", "60000")),
        (
            {"t": AtCredit(70_000, 0, "", {"r1": (20_000, 0)})},
            ("entries of tender t of purchase p1", "70000", "missing"),
        ),
    ],
)
def test_what_credit_lacks_or_has_twice(booked: dict[str, AtCredit], told: tuple[str, str, str]) -> None:
    assert [(d.what, d.must, d.found) for d in compare_credit(a_sale(), booked)] == [told]


def test_an_invoice_that_staff_look_at_may_be_about_another_amount() -> None:
    marked = {"t": AtCredit(60_000, 60_000, "OVER_HOLD", {"r1": (20_000, 0)})}
    assert compare_credit(a_sale(), marked) == []


def test_nobodys_sale_is_nothing_to_loyalty() -> None:
    assert compare_loyalty(replace(a_sale(), customer_id=""), None) == []
