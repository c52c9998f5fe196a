"""The models: earning and its allotment, what a finished sale uses, returns that add up."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.accounts.model import Account, Book, Cause
from loyalty.programs.model import Benefits, add_months, bases, in_force, points
from loyalty.programs.plugins import Earned
from loyalty.purchases.model import PointsRefund, Return, ReturnedLine, Sale, book_return, book_sale
from loyalty.redemptions.model import (
    HELD,
    LATE,
    OVER_HOLD,
    UNAUTHORISED,
    VOIDED_THEN_SOLD,
    PointsTender,
    Reservation,
    redeem,
)
from loyalty.tiers.model import TierChange, in_force_at
from tests.loyalty.books import AT, IDR, TODAY, check, line, program

RESERVATION = "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"


# Earning


@pytest.mark.parametrize(
    ("nets", "unearning", "expected"),
    [
        ([1_000, 2_000], 0, [1_000, 2_000]),
        ([1_000, 2_000], 3_000, [0, 0]),
        ([1_000, 2_000], 100, [967, 1_933]),
        ([1_000, -3, 2_000], 100, [967, 0, 1_933]),
    ],
)
def test_what_points_and_excluded_tenders_paid_is_taken_from_each_line_in_proportion(
    nets, unearning, expected
):
    lines = [line(net, counts=net > 0) for net in nets]
    assert bases(lines, unearning) == expected


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 1000),
)
def test_bases_are_never_negative_and_leave_out_just_what_was_paid_so(rows, part):
    lines = [line(net, counts=counts) for net, counts in rows]
    total = sum(net for net, _ in rows)
    unearning = total * part // 1000
    found = bases(lines, unearning)
    assert all(0 <= base <= of.net for base, of in zip(found, lines, strict=True))
    if all(counts for _, counts in rows):
        assert sum(found) == total - unearning


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=40),
    st.integers(1, 10**6),
    st.integers(0, 50_000),
)
def test_points_are_rounded_down_once_and_allotted_whole(values, step, multiplier):
    found = points([Earned(tuple(values), step)], len(values), multiplier)
    assert sum(found) == sum(values) * multiplier // (step * 10_000)
    for share, value in zip(found, values, strict=True):
        exact = Fraction(value * multiplier, step * 10_000)
        assert exact - 2 < share < exact + 1


def test_fractions_of_several_plugins_are_added_before_they_are_rounded():
    assert sum(points([Earned((1,), 2), Earned((1,), 3), Earned((1,), 6)], 1, 10_000)) == 1


def test_the_latest_effective_version_decides_and_the_higher_of_two():
    first, later = program(), program(version=2, effective_from=AT)
    twin = program(version=3, effective_from=AT)
    assert in_force([first, later], AT - timedelta(seconds=1)) is first
    assert in_force([first, later], AT) is later
    assert in_force([first, later, twin], AT) is twin
    assert in_force([later], AT - timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 5), 1, date(2027, 1, 5)),
    ],
)
def test_months_end_on_the_last_day_there_is(day, months, expected):
    assert add_months(day, months) == expected


# The tier of a late sale


def test_a_late_sale_is_in_the_tier_of_its_own_time():
    account = Account("m", "c", tier="VIP", tier_since=AT, tier_revision=3)
    past = [
        TierChange("m", "c", "", "New", "PLUGIN", "x", AT - timedelta(days=9), 1),
        TierChange("m", "c", "New", "Regular", "PLUGIN", "x", AT - timedelta(days=5), 2),
        TierChange("m", "c", "Regular", "VIP", "PLUGIN", "x", AT, 3),
    ]
    tiers = program(tiers=("New", "Regular", "VIP"), benefits=(Benefits(),) * 3)
    assert in_force_at(account, past, AT, tiers) == "VIP"
    assert in_force_at(account, past, AT - timedelta(days=1), tiers) == "Regular"
    assert in_force_at(account, past, AT - timedelta(days=20), tiers) == "New"


# The table of a finished sale's points tender


def reservation(state: str, **changes: Any) -> Reservation:
    fields: dict[str, Any] = {"points": 100, "value": 1_000, "fingerprint": b"x"}
    return Reservation("m", RESERVATION, changes.pop("customer", "c"), state, **{**fields, **changes})


@pytest.mark.parametrize(
    ("before", "amount", "offline", "points_used", "mark"),
    [
        (reservation(HELD), 1_000, False, 100, ""),
        (reservation(HELD), 500, False, 50, ""),
        (reservation(HELD), 995, False, 100, ""),
        (reservation(HELD), 1_500, False, 150, OVER_HOLD),
        (reservation("EXPIRED"), 1_000, False, 100, LATE),
        (reservation("RELEASED"), 1_000, False, 100, VOIDED_THEN_SOLD),
        (reservation("RELEASED", points=0, value=0), 1_000, False, 100, VOIDED_THEN_SOLD),
        (reservation("REDEEMED", purchase_id="other"), 1_000, False, 100, UNAUTHORISED),
        (reservation("DECLINED", points=900), 1_000, False, 100, UNAUTHORISED),
        (reservation(HELD, customer="d"), 1_000, False, 100, UNAUTHORISED),
        (None, 1_000, False, 100, UNAUTHORISED),
        (None, 500, True, 50, ""),
        (None, 1_000, True, 100, UNAUTHORISED),
    ],
)
def test_a_points_tender_is_booked_whatever_its_reservation_says(before, amount, offline, points_used, mark):
    book = Book(Account("m", "c"))
    book.give("ADJUST", 200, Cause("ADJUSTMENT", "1"), None, 0, AT)
    if before is not None and before.state == HELD and before.customer_id == "c":
        book.hold(before.points, RESERVATION, TODAY)
    tender = PointsTender("t", RESERVATION, amount)
    terms = program(max_offline_points=50)
    found = redeem(book, tender, before, terms, "p", AT, TODAY, offline=offline)
    assert found.points == points_used
    assert (found.marked.mark if found.marked else "") == mark
    assert (book.account.balance, book.account.reserved) == (200 - points_used, 0)
    check(book)


# Sales and their returns


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 500_000), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 1000)), max_size=8),
    st.integers(0, 300),
    st.integers(0, 400),
)
def test_whatever_is_returned_in_parts_and_then_wholly_leaves_nothing(nets, parts, had, used):
    """Lines come back in any parts; when the rest has come back the points stand as before the sale."""
    book = Book(Account("m", "c"))
    if had:
        book.give("ADJUST", had, Cause("ADJUSTMENT", "1"), None, 0, AT)
    total = sum(nets)
    paid = min(used * 10, total)
    lines = tuple(line(net, line_id=str(place)) for place, net in enumerate(nets))
    sale = Sale(
        "m", "c", "p", IDR, "", AT, TODAY, lines, (),
        (PointsTender("t", RESERVATION, paid),) if paid else (), False,
    )  # fmt: skip
    booked = book_sale(book, sale, program(), {}, (), ())
    check(book)
    redemptions = {u.redemption.tender_id: u.redemption for u in booked.redeemed if u.redemption}
    left, money = dict(enumerate(nets)), paid
    rest = [(place, net) for place, net in enumerate(nets)]
    for number, (place, part) in enumerate([*parts, *((p, None) for p, _ in rest)]):
        if place not in left:
            continue
        amount = left[place] if part is None else left[place] * part // 1000
        refund = money * amount // sum(left.values()) if sum(left.values()) else 0
        if sum(left.values()) == amount:
            refund = money
        back = Return(
            "m", "c", f"r{number}", "p", AT, TODAY,
            (ReturnedLine(str(place), amount, left[place], True, amount == left[place]),),
            (PointsRefund("t", refund, money),) if refund else (),
        )  # fmt: skip
        book_return(book, back, booked.purchase, redemptions)
        check(book)
        left[place] -= amount
        money -= refund
    assert book.account.balance == had
    assert booked.purchase.spend_left == 0
    assert not any(booked.purchase.line_points.values())
    assert not any(redemption.left for redemption in redemptions.values())
