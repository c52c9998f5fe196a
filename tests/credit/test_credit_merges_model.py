"""What one account becomes of two: the rules, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import Account, Override, PolicyLimit, Status, StoreLimit
from credit.merges.model import Side, Standing, alias, comparable, store_limits, united
from tests.credit.models import AT

DAY = timedelta(days=1)
ACTIVE, SUSPENDED, CLOSED, UNOPENED = Status.ACTIVE, Status.SUSPENDED, Status.CLOSED, Status.UNOPENED


def side(customer, status=ACTIVE, *, staff=True, stores=None, **fields):
    fields = {"currency_code": "" if status is UNOPENED else "IDR"} | fields
    return Side(
        Account("toko", customer, status=status, **fields), staff and status is not UNOPENED, stores or {}
    )


def unite(absorbed, survivor):
    return united(absorbed, survivor, AT)


@pytest.mark.parametrize(
    ("absorbed", "survivor", "status", "limit", "net_days"),
    [
        # Two that staff opened: the smaller limit, the stricter status, the survivor's terms.
        (side("a", limit=50, net_days=7), side("s", limit=80, net_days=30), ACTIVE, 50, 30),
        (side("a", limit=80, net_days=7), side("s", limit=50, net_days=30), ACTIVE, 50, 30),
        (side("a", SUSPENDED, limit=80), side("s", limit=50, net_days=30), SUSPENDED, 50, 30),
        (side("a", limit=80), side("s", SUSPENDED, limit=50, net_days=30), SUSPENDED, 50, 30),
        # Only one has an account: it holds, whichever side it is on.
        (side("a", UNOPENED), side("s", limit=80, net_days=30), ACTIVE, 80, 30),
        (side("a", limit=80, net_days=7), side("s", UNOPENED), ACTIVE, 80, 7),
        (side("a", SUSPENDED, limit=80, net_days=7), side("s", UNOPENED), SUSPENDED, 80, 7),
        (side("a", UNOPENED), side("s", UNOPENED), UNOPENED, 0, 0),
        # A closed one gives way to any that is not.
        (side("a", CLOSED, limit=10), side("s", limit=80, net_days=30), ACTIVE, 80, 30),
        (side("a", limit=80, net_days=7), side("s", CLOSED, limit=10), ACTIVE, 80, 7),
        (side("a", CLOSED, limit=10), side("s", SUSPENDED, limit=80), SUSPENDED, 80, 0),
        (side("a", CLOSED, limit=10), side("s", CLOSED, limit=80), CLOSED, 10, 0),
        # One that only a sale opened gives way to one about which staff decided.
        (side("a", SUSPENDED, staff=False), side("s", limit=80, net_days=30), ACTIVE, 80, 30),
        (side("a", limit=80, net_days=7), side("s", SUSPENDED, staff=False), ACTIVE, 80, 7),
        (side("a", CLOSED, limit=9), side("s", SUSPENDED, staff=False), SUSPENDED, 0, 0),
    ],
)
def test_who_gives_way(absorbed, survivor, status, limit, net_days):
    after = unite(absorbed, survivor)
    assert (after.customer_id, after.status, after.limit, after.net_days) == ("s", status, limit, net_days)


def test_the_zone_and_the_currency_are_those_of_whom_gives_the_terms():
    opened = side("a", limit=5, time_zone="Asia/Jayapura", minor_digits=2, due_day=9)
    after = unite(opened, side("s", UNOPENED))
    assert (after.time_zone, after.currency_code, after.minor_digits) == ("Asia/Jayapura", "IDR", 2)
    assert after.due_day == 9
    assert unite(opened, side("s", time_zone="Asia/Jakarta", minor_digits=2)).time_zone == "Asia/Jakarta"


@pytest.mark.parametrize(
    ("absorbed", "survivor", "limit", "override"),
    [
        # (limit, (limit for a time, days)): of both, and what is left of them.
        ((100, None), (80, None), 80, None),
        ((100, (200, 1)), (150, None), 100, (150, 1)),
        ((100, None), (80, (300, 2)), 80, (100, 2)),
        ((100, (200, 1)), (100, (300, 2)), 100, (200, 1)),
        ((100, (50, 3)), (80, None), 80, (50, 3)),
        ((100, (50, 1)), (100, (60, 2)), 100, (50, 2)),
        ((100, (300, -1)), (80, None), 80, None),
        ((100, (80, 1)), (80, None), 80, None),
    ],
)
def test_of_two_limits_for_a_time_the_smaller_goes_on(absorbed, survivor, limit, override):
    def of(customer, given):
        usual, time = given
        return side(customer, limit=usual, override=time and Override(time[0], AT + time[1] * DAY))

    after = unite(of("a", absorbed), of("s", survivor))
    assert after.limit == limit
    assert after.override == (override and Override(override[0], AT + override[1] * DAY))


@pytest.mark.parametrize(
    ("absorbed", "survivor", "kept"),
    [
        (side("a", stores={"x": 5, "y": 9}), side("s", stores={"x": 7, "z": 1}), {"x": 5, "y": 9, "z": 1}),
        (side("a", UNOPENED), side("s", stores={"x": 7}), {"x": 7}),
        (side("a", stores={"x": 5}), side("s", UNOPENED), {"x": 5}),
        (side("a", CLOSED, stores={"x": 5, "y": 1}), side("s", stores={"x": 7}), {"x": 7, "y": None}),
        (side("a"), side("s"), {}),
    ],
)
def test_of_a_stores_two_limits_the_smaller_goes_on(absorbed, survivor, kept):
    assert store_limits(absorbed, survivor) == [StoreLimit(s, kept[s]) for s in sorted(kept)]
    assert unite(absorbed, survivor).store_limited == any(limit is not None for limit in kept.values())


@pytest.mark.parametrize("absorbed", [None, PolicyLimit(3, date(2026, 4, 1))])
@pytest.mark.parametrize("survivor", [None, PolicyLimit(4, date(2026, 5, 1))])
def test_of_equals_the_limit_stays_the_policys_only_where_both_were(absorbed, survivor):
    after = unite(side("a", by_policy=absorbed), side("s", by_policy=survivor))
    assert after.by_policy == (survivor if absorbed else None)
    assert unite(side("a", by_policy=absorbed), side("s", UNOPENED)).by_policy == absorbed


@pytest.mark.parametrize("digits", [0, 2])
@pytest.mark.parametrize("code", ["IDR", "USD"])
def test_only_two_accounts_in_different_currencies_cannot_be_one(code, digits):
    other = side("s", currency_code=code, minor_digits=digits).account
    assert comparable(side("a").account, other) == ((code, digits) == ("IDR", 0))
    assert comparable(side("a", UNOPENED).account, other)
    assert comparable(other, side("a", UNOPENED).account)


def test_an_alias_has_nothing_but_a_name_to_follow():
    absorbed = side("a", limit=9, posted=5, held=4, credit_balance=3, revision=7).account
    left = alias(replace(absorbed, erased=True), side("s").account)
    assert left == Account(
        "toko", "a", merged_into="s", revision=7, erased=True, currency_code="", time_zone=absorbed.time_zone
    )


AMOUNTS = st.integers(0, 10**12)
OVERRIDES = st.none() | st.builds(Override, AMOUNTS, st.integers(-5, 5).map(lambda n: AT + n * DAY))
ACCOUNTS = st.builds(
    Account,
    st.just("toko"),
    st.just("x"),
    status=st.sampled_from(Status),
    currency_code=st.just("IDR"),
    limit=AMOUNTS,
    posted=AMOUNTS,
    held=AMOUNTS,
    credit_balance=AMOUNTS,
    override=OVERRIDES,
    erased=st.booleans(),
    revision=st.integers(0, 99),
)
SIDES = st.builds(Side, ACCOUNTS, st.booleans())


@given(SIDES, SIDES, st.integers(0, 6))
def test_nothing_is_lost_and_equals_never_approve_more_together(absorbed, survivor, later):
    one = replace(absorbed.account, customer_id="a")
    other = replace(survivor.account, customer_id="s")
    after = unite(replace(absorbed, account=one), replace(survivor, account=other))
    for balance in ("posted", "held", "credit_balance"):
        assert getattr(after, balance) == getattr(one, balance) + getattr(other, balance)
    assert after.revision > max(one.revision, other.revision)
    assert after.key == other.key
    assert after.erased == other.erased
    if absorbed.standing == survivor.standing == Standing.BY_STAFF:
        assert (after.status is ACTIVE) == (one.status is other.status is ACTIVE)
        at = AT + later * DAY

        def in_force(account):
            override = account.override_at(at)
            return account.limit if override is None else override.limit

        # An override that was over at the merge is over; no later moment lends more than the smaller side.
        assert in_force(after) <= min(in_force(one), in_force(other))
