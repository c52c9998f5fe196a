"""Money: nothing is lost between units and minor units, and shares always add up."""

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from kit.money import Currency, InvalidMoney, allot, share, to_minor, to_money

RUPIAH = Currency("IDR", 0)
DOLLAR = Currency("USD", 2)


@pytest.mark.parametrize(
    ("money", "currency", "minor"),
    [
        (Money(currency_code="IDR", units=12_500), RUPIAH, 12_500),
        (Money(currency_code="USD", units=1, nanos=250_000_000), DOLLAR, 125),
        (Money(currency_code="USD", units=-1, nanos=-250_000_000), DOLLAR, -125),
        (Money(currency_code="USD", nanos=-10_000_000), DOLLAR, -1),
    ],
)
def test_money_becomes_minor_units(money: Money, currency: Currency, minor: int) -> None:
    assert to_minor(money, currency) == minor


@pytest.mark.parametrize(
    ("money", "currency"),
    [
        (Money(currency_code="IDR", units=1, nanos=500_000_000), RUPIAH),
        (Money(currency_code="USD", nanos=5_000_000), DOLLAR),
        (Money(currency_code="USD", units=1), RUPIAH),
        (Money(currency_code="USD", units=1, nanos=-10_000_000), DOLLAR),
        (Money(currency_code="USD", nanos=1_000_000_000), DOLLAR),
        (Money(currency_code="IDR", units=10**18), RUPIAH),
        (Money(), RUPIAH),
    ],
)
def test_money_that_the_currency_cannot_hold_is_refused(money: Money, currency: Currency) -> None:
    with pytest.raises(InvalidMoney) as caught:
        to_minor(money, currency)
    assert caught.value.reason == "INVALID_MONEY"


@given(st.integers(-(10**15), 10**15), st.sampled_from([0, 2, 3]))
def test_minor_units_survive_the_way_out_and_back(minor: int, digits: int) -> None:
    currency = Currency("XXX", digits)
    assert to_minor(to_money(minor, currency), currency) == minor


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), max_size=30))
def test_an_allotment_adds_up_and_is_fair_to_one_unit(total: int, weights: list[int]) -> None:
    parts = allot(total, weights)
    whole = sum(weights)
    assert sum(parts) == (total if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert whole == 0 or total * weight // whole <= part <= total * weight // whole + 1


def test_spare_units_go_to_the_largest_remainder_then_to_the_first() -> None:
    assert allot(100, [1, 1, 1]) == [34, 33, 33]
    assert allot(10, [3, 3, 4]) == [3, 3, 4]
    assert allot(5, [1, 2]) == [2, 3]


@given(st.integers(0, 10**12), st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_share_is_all_for_all_and_never_more(left: int, part: int, whole: int) -> None:
    part = min(part, whole)
    assert 0 <= share(left, part, whole) <= left
    assert share(left, whole, whole) == left
