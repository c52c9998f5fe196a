"""Basket discounts add up, sales add up, times are believable: by table and for all values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.purchases import model
from customers.purchases.errors import TotalMismatch

NETS = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


@given(NETS, st.integers(0, 10**6))
def test_a_basket_discount_is_spread_whole_and_never_above_a_line(nets: list[int], millionths: int) -> None:
    discount = sum(nets) * millionths // 10**6
    parts = model.spread(nets, discount)
    assert sum(parts) == discount
    assert all(0 <= part <= net for part, net in zip(parts, nets, strict=True))
    whole = sum(nets)
    assert all(abs(part * whole - discount * net) <= whole for part, net in zip(parts, nets, strict=True))


@pytest.mark.parametrize(
    ("nets", "discount", "parts"),
    [
        ([1_000, 1_000, 1_000], 100, [34, 33, 33]),
        ([100, 0, 300], 40, [10, 0, 30]),
        ([10_050, -50], 50, [50, 0]),
        ([5], 5, [5]),
        ([0, 0], 0, [0, 0]),
    ],
)
def test_a_basket_discount_by_table(nets: list[int], discount: int, parts: list[int]) -> None:
    assert model.spread(nets, discount) == parts


def test_a_discount_above_the_basket_is_refused() -> None:
    with pytest.raises(TotalMismatch):
        model.spread([10, 20], 31)


@pytest.mark.parametrize(
    ("nets", "total", "tenders", "sound"),
    [
        ([10, 20], 30, [30], True),
        ([10, 20], 30, [10, 20], True),
        ([10_050, -50], 10_000, [10_000], True),
        ([0], 0, [], True),
        ([], 0, [], True),
        ([10], 10, [], False),
        ([10], 9, [9], False),
        ([10], 10, [11], False),
        ([-10], -10, [-10], False),
    ],
)
def test_lines_total_and_tenders_are_equal(
    nets: list[int], total: int, tenders: list[int], sound: bool
) -> None:
    if sound:
        model.check_sum(nets, total, tenders)
    else:
        with pytest.raises(TotalMismatch):
            model.check_sum(nets, total, tenders)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.timedeltas(timedelta(days=-60), timedelta(days=60)))
def test_a_time_is_taken_only_from_its_window(offset: timedelta) -> None:
    found = model.moment(NOW + offset, NOW)
    believed = timedelta(days=-30) <= offset <= timedelta(minutes=5)
    assert found == (model.Moment(NOW + offset, False) if believed else model.Moment(NOW, True))
