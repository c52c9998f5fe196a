"""What an account holds and when it owes, by table and by random days, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import (
    Account,
    Cause,
    Effect,
    Key,
    Override,
    PolicyLimit,
    Status,
    StoreRoom,
    book,
    next_on,
    suspended,
)
from credit.policies import codec
from tests.credit.models import AT, KEY, account, entry


@pytest.mark.parametrize(
    ("oldest_due", "zone", "blocked"),
    [
        (None, "Asia/Jakarta", False),
        (date(2026, 4, 17), "Asia/Jakarta", False),  # 14 days before 1 May
        (date(2026, 4, 16), "Asia/Jakarta", True),
        (date(2026, 4, 16), "America/Los_Angeles", False),  # where it is still 30 April
        (date(2026, 4, 15), "America/Los_Angeles", True),
    ],
)
def test_an_account_is_blocked_once_an_invoice_is_overdue_for_more_than_14_local_days(
    oldest_due, zone, blocked
):
    late = account(time_zone=zone).days_overdue(oldest_due, AT)
    assert codec.default().blocks(late, owed=1) is blocked


@pytest.mark.parametrize(
    ("zone", "days", "due"),
    [
        ("Asia/Jakarta", 30, date(2026, 5, 31)),
        ("America/Los_Angeles", 30, date(2026, 5, 30)),
        ("Pacific/Auckland", 0, date(2026, 5, 1)),
        ("Asia/Jayapura", 365, date(2027, 5, 1)),
    ],
)
def test_due_dates_count_local_days(zone, days, due):
    assert account(time_zone=zone, net_days=days).due_on(AT) == due


def test_a_sale_opens_an_account_that_approves_nothing():
    opened = suspended(Account(*KEY), "IDR", 0, "Asia/Makassar", AT)
    assert (opened.status, opened.limit, opened.available_at(AT)) == (Status.SUSPENDED, 0, 0)
    assert opened.due_on(AT) == opened.local_date(AT)


@pytest.mark.parametrize(
    ("day", "due_day", "due"),
    [
        (date(2026, 5, 1), 10, date(2026, 5, 10)),
        (date(2026, 5, 10), 10, date(2026, 6, 10)),
        (date(2026, 5, 11), 10, date(2026, 6, 10)),
        (date(2026, 12, 11), 10, date(2027, 1, 10)),
        (date(2026, 1, 31), 31, date(2026, 2, 28)),
        (date(2028, 1, 31), 31, date(2028, 2, 29)),
        (date(2026, 2, 28), 31, date(2026, 3, 31)),
        (date(2026, 4, 29), 31, date(2026, 4, 30)),
    ],
)
def test_a_fixed_day_of_the_month_is_the_next_one_after_the_sale(day, due_day, due):
    assert next_on(day, due_day) == due
    at = datetime.combine(day, datetime.min.time(), UTC)
    assert account(due_day=due_day).due_on(at) == due


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 31))
def test_a_fixed_day_of_the_month_comes_within_a_month_and_never_at_once(day, due_day):
    assert day < next_on(day, due_day) <= day + timedelta(days=31)


@pytest.mark.parametrize(
    ("of", "available"),
    [
        (account(), 100),
        (account(posted=40, held=30, credit_balance=5), 35),
        (account(posted=101), 0),
        (account(override=Override(150, AT + timedelta(seconds=1))), 150),
        (account(override=Override(150, AT)), 100),
        (account(erased=True), 0),
        *((account(status=status), 0) for status in Status if status is not Status.ACTIVE),
    ],
)
def test_what_is_left_to_spend(of, available):
    assert of.available_at(AT) == available


def test_what_a_sale_opens_has_the_sales_currency_and_zone_and_none_of_the_terms_known_before():
    before = account(status=Status.UNOPENED, limit=70, net_days=30, due_day=5, revision=3, limit_wished=9)
    assert suspended(before, "JPY", 2, "Asia/Makassar", AT) == replace(
        before,
        status=Status.SUSPENDED,
        currency_code="JPY",
        minor_digits=2,
        time_zone="Asia/Makassar",
        limit=0,
        net_days=0,
        due_day=0,
        opened_at=AT,
        revision=4,
    )


def test_nothing_that_staff_wrote_of_an_erased_customer_is_kept():
    assert account().kept("moved away") == "moved away"
    assert account(erased=True).kept("moved away") == ""


def test_booking_moves_what_is_owed_and_the_credit_balance_by_every_line():
    lines = [
        entry(Cause.PURCHASE, "p1", "t1", Effect.CHARGED, 50),
        entry(Cause.PURCHASE, "p1", "t1", Effect.CREDIT_USED, -20, -20),
    ]
    assert book(account(posted=7, credit_balance=20), lines) == account(posted=37, credit_balance=0)


@pytest.mark.parametrize(
    ("posted", "credit", "what"),
    [(-1, 0, "what is owed cannot be negative"), (0, -1, "a credit balance cannot be negative")],
)
def test_no_line_of_the_ledger_takes_more_than_there_is(posted, credit, what):
    line = entry(Cause.PAYMENT, "p", "", Effect.PAID, posted, credit)
    with pytest.raises(AssertionError, match=rf"^{what}$"):
        book(account(), [line])


def test_an_account_is_named_by_merchant_and_customer():
    assert account().key == KEY == Key("toko", "customer")


@pytest.mark.parametrize(("used", "left"), [(0, 30), (29, 1), (30, 0), (31, 0)])
def test_what_a_store_has_left_is_its_limit_less_what_counts_against_it(used, left):
    assert StoreRoom("s1", 30, used).left == left


@pytest.mark.parametrize(
    ("zone", "oldest_due", "days"),
    [
        ("Asia/Jakarta", None, 0),
        ("Asia/Jakarta", date(2026, 5, 2), 0),
        ("Asia/Jakarta", date(2026, 5, 1), 0),
        ("Asia/Jakarta", date(2026, 4, 30), 1),
        ("America/Los_Angeles", date(2026, 4, 30), 0),
    ],
)
def test_an_account_is_late_by_the_local_days_since_its_oldest_due_date(zone, oldest_due, days):
    assert account(time_zone=zone).days_overdue(oldest_due, AT) == days


@pytest.mark.parametrize(
    ("of", "over"),
    [
        (account(posted=60, held=40), 0),
        (account(posted=60, held=41), 1),
        (account(posted=60, held=60, credit_balance=15), 5),
        (account(posted=70, override=Override(30, AT + timedelta(seconds=1))), 40),
        (account(posted=70, override=Override(30, AT)), 0),
    ],
)
def test_how_far_an_account_is_beyond_the_limit_in_force(of, over):
    assert of.over_at(AT) == over


@pytest.mark.parametrize(
    ("of", "payable"),
    [
        (account(limit=0, credit_balance=500), 500),
        (account(limit=0, credit_balance=500, held=200), 300),
        (account(limit=0, credit_balance=500, held=700), 0),
        (account(limit=100, credit_balance=500, held=200), 400),
        (account(limit=100, credit_balance=500, held=200, posted=50), 350),
        (account(limit=100, credit_balance=500, held=200, posted=150), 300),
        (account(limit=100, credit_balance=500, held=100), 500),
        (account(limit=0, credit_balance=500, held=200, override=Override(200, AT + timedelta(days=1))), 500),
        (account(limit=200, credit_balance=500, held=200, override=Override(0, AT)), 500),
    ],
)
def test_what_pending_holds_rest_on_is_not_paid_out(of, payable):
    assert of.payable_at(AT) == payable


def test_an_account_tells_which_version_of_the_policy_made_its_limit():
    assert account().limit_policy == 0
    assert account(by_policy=PolicyLimit(7, AT.date())).limit_policy == 7
