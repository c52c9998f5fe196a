"""What allowances cover and what lies beyond, by table and by random orders, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import Key
from credit.allowances.model import Allowance, AllowanceKey, Kind, Sold, Use, amiss, marks, take
from credit.invoices.model import Mark, Verdict
from kit.money import Currency
from tests.credit.models import AT, KEY

IDR = Currency("IDR", 0)
HOUR = timedelta(hours=1)


def allowance(**fields):
    whole = {"amount": 100, "customer_limit": None, "valid_from": AT - HOUR, "valid_until": AT + HOUR}
    return Allowance("toko", "a", "s1", IDR, "Asia/Jakarta", **whole | fields, granted_at=AT - HOUR)


def sold(amount, **fields):
    whole = {"use_id": "u", "kind": Kind.SALE, "store_id": "s1", "currency": IDR, "at": AT, "opened": True}
    return Sold(**{"key": KEY} | whole | fields, amount=amount)


@pytest.mark.parametrize(
    ("of", "what", "before", "excess", "mark"),
    [
        (allowance(), sold(100), 0, 0, None),
        (allowance(), sold(101), 0, 1, Mark.OVER_ALLOWANCE),
        (allowance(used=60), sold(40), 0, 0, None),
        (allowance(used=60), sold(50), 0, 10, Mark.OVER_ALLOWANCE),
        (allowance(used=100), sold(5), 0, 5, Mark.OVER_ALLOWANCE),
        # One customer.
        (allowance(customer_limit=30), sold(30), 0, 0, None),
        (allowance(customer_limit=30), sold(31), 0, 1, Mark.OVER_ALLOWANCE),
        (allowance(customer_limit=30), sold(15), 20, 5, Mark.OVER_ALLOWANCE),
        (allowance(customer_limit=30, used=90), sold(15), 20, 5, Mark.OVER_ALLOWANCE),
        (allowance(customer_limit=30, used=95), sold(15), 20, 10, Mark.OVER_ALLOWANCE),
        (allowance(customer_limit=30), sold(15), 30, 15, Mark.OVER_ALLOWANCE),
        (allowance(customer_limit=30), sold(15), 40, 15, Mark.OVER_ALLOWANCE),  # of two who were merged
        # Its time, which begins at valid_from and ends before valid_until, or when it was ended.
        (allowance(), sold(1, at=AT - HOUR), 0, 0, None),
        (allowance(), sold(1, at=AT - HOUR - timedelta(microseconds=1)), 0, 1, Mark.OVER_ALLOWANCE),
        (allowance(), sold(1, at=AT + HOUR), 0, 1, Mark.OVER_ALLOWANCE),
        (allowance(), sold(1, at=AT + HOUR - timedelta(microseconds=1)), 0, 0, None),
        (allowance(ended_at=AT), sold(1), 0, 1, Mark.OVER_ALLOWANCE),
        (allowance(ended_at=AT + timedelta(microseconds=1)), sold(1), 0, 0, None),
        # Another store's till.
        (allowance(), sold(10, store_id="s2"), 0, 10, Mark.OVER_ALLOWANCE),
        # Nobody opened the account: it takes as any other, and is no less unauthorised.
        (allowance(used=95), sold(10, opened=False), 0, 5, Mark.UNAUTHORISED),
        (allowance(), sold(10, opened=False), 0, 0, Mark.UNAUTHORISED),
    ],
)
def test_what_an_allowance_covers(of, what, before, excess, mark):
    use, after = take(of, what, before)
    assert (use.excess, use.mark, use.taken) == (excess, mark, what.amount - excess)
    assert (after.used, after.over) == (of.used + what.amount - excess, of.over + excess)


@pytest.mark.parametrize(
    ("promised", "excess", "opened", "tendered", "found"),
    [
        (50, 0, True, 50, None),
        (50, 20, True, 50, (Mark.OVER_ALLOWANCE, 20)),
        # What was covered is put to the sale first.
        (50, 20, True, 31, (Mark.OVER_ALLOWANCE, 1)),
        (50, 20, True, 30, None),
        # What it exceeds its hold by is marked OVER_HOLD, not here.
        (50, 20, True, 70, (Mark.OVER_ALLOWANCE, 20)),
        (50, 0, True, 70, None),
        (50, 20, False, 31, (Mark.UNAUTHORISED, 31)),
        (50, 0, False, 70, (Mark.UNAUTHORISED, 70)),
    ],
)
def test_what_is_amiss_with_a_sale_that_comes_to_another_amount(promised, excess, opened, tendered, found):
    use, _ = take(allowance(used=100 - promised + excess), sold(promised, opened=opened), 0)
    assert use.excess == excess
    assert amiss(use, tendered) == found


def test_a_tender_is_marked_with_all_that_is_amiss_the_gravest_first():
    over, _ = take(allowance(used=70), sold(50), 0)
    unopened, _ = take(allowance(used=70), sold(50, opened=False), 0)
    excess = Verdict(captures=True, mark=Mark.OVER_HOLD, excess=7)
    assert marks(over, excess, 57) == [(Mark.OVER_HOLD, 7), (Mark.OVER_ALLOWANCE, 20)]
    assert marks(unopened, excess, 57) == [(Mark.UNAUTHORISED, 57)]
    assert marks(over, Verdict(captures=True), 50) == [(Mark.OVER_ALLOWANCE, 20)]
    assert marks(None, excess, 57) == [(Mark.OVER_HOLD, 7)]
    assert marks(None, Verdict(captures=True), 50) == []
    # A hold that is over says more than how much of it was covered.
    assert marks(over, Verdict(mark=Mark.LATE, excess=50), 50) == [(Mark.LATE, 50)]


def test_an_allowance_that_has_ended_has_nothing_left():
    of = allowance(used=30)
    assert [of.left(AT + n * HOUR) for n in (-2, -1, 0, 1)] == [70, 70, 70, 0]
    ended = replace(of, ended_at=AT)
    assert [ended.left(AT + n * HOUR) for n in (-2, -1, 0, 1)] == [70, 70, 0, 0]
    assert replace(of, ended_at=AT + 2 * HOUR).left(AT + HOUR) == 0


def test_a_use_says_who_took_what_of_which_allowance_and_when():
    of = allowance(used=95)
    assert of.key == AllowanceKey("toko", "a")
    use, _ = take(of, sold(7, kind=Kind.HOLD, use_id="h"), 0)
    assert use == Use(KEY, "h", "a", Kind.HOLD, 7, 2, AT, Mark.OVER_ALLOWANCE)
    with pytest.raises(AssertionError, match=r"^an allowance of another currency allows nothing$"):
        take(of, sold(7, currency=Currency("IDR", 2)), 0)


uses = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60)), max_size=8)


@given(uses, st.randoms(), st.one_of(st.none(), st.integers(1, 80)))
def test_in_whatever_order_it_is_used_the_same_is_taken_of_it_and_never_more_than_there_is(
    asked, chance, customer_limit
):
    def fold(order):
        of, taken = allowance(customer_limit=customer_limit), {}
        for customer, amount in order:
            use, of = take(of, sold(amount, key=Key("toko", customer)), taken.get(customer, 0))
            taken[customer] = taken.get(customer, 0) + use.taken
            assert 0 <= of.used <= of.amount
        assert sum(taken.values()) == of.used
        assert customer_limit is None or all(each <= customer_limit for each in taken.values())
        return of

    first = fold(asked)
    assert first.used + first.over == sum(amount for _, amount in asked)
    again = chance.sample(asked, len(asked))
    assert fold(again) == first
