"""On which days a notice speaks up and what it lists, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import Account, Cause, Key, Status
from credit.invoices.model import Charge, Invoice, issue
from credit.notices.model import LISTED_MAX, Kind, Steps, begun, notice

STEPS = Steps(9, frozenset({-3, 0, 1, 7, 14}))
KEY = Key("toko", "customer")
JAKARTA = Account(*KEY, status=Status.ACTIVE, currency_code="IDR", limit=100, time_zone="Asia/Jakarta")
DUE = date(2026, 5, 10)
TEN = time(3)  # 10:00 in Jakarta, in UTC


def owed(
    due_on: date = DUE, number: int = 1, issued_at: datetime = datetime(2026, 4, 10, tzinfo=UTC)
) -> Invoice:
    charge = Charge(KEY, f"i{number:05}", Cause.PURCHASE, f"p{number}", 100, issued_at, f"p{number}", "t1")
    return replace(issue(JAKARTA, charge).invoice, due_on=due_on)


def at_ten(day: date) -> datetime:
    return datetime.combine(day, TEN, UTC)


@pytest.mark.parametrize(
    ("days", "kind"),
    [
        (-4, None),
        (-3, Kind.DUE),
        (-2, None),
        (-1, None),
        (0, Kind.DUE),
        (1, Kind.OVERDUE),
        (2, None),
        (6, None),
        (7, Kind.OVERDUE),
        (8, None),
        (13, None),
        (14, Kind.OVERDUE),
        (15, None),
        (21, None),
    ],
)
def test_three_days_before_on_the_day_and_1_7_and_14_days_after(days, kind):
    said = notice(STEPS, JAKARTA, at_ten(DUE + timedelta(days=days)), [owed()])
    assert (None if said is None else said.kind) == kind


def test_what_is_due_beside_something_overdue_is_said_as_overdue_and_lists_both():
    today = DUE + timedelta(days=2)  # the first is at no step; the second is: three days before
    late, soon, later = owed(DUE, 1), owed(today + timedelta(days=3), 2), owed(today + timedelta(days=4), 3)
    said = notice(STEPS, JAKARTA, at_ten(today), [later, soon, late])
    assert said is not None
    assert said.kind is Kind.OVERDUE
    assert (said.overdue, said.due) == ((late,), (soon,))


def test_the_longest_due_comes_first_and_a_list_has_an_end():
    many = [owed(DUE - timedelta(days=n % 5), n) for n in range(LISTED_MAX + 10)]
    said = notice(STEPS, JAKARTA, at_ten(DUE + timedelta(days=1)), many)
    assert said is not None
    assert len(said.overdue) == LISTED_MAX
    assert [i.due_on for i in said.overdue] == sorted(i.due_on for i in many)[:LISTED_MAX]


@pytest.mark.parametrize(
    ("zone", "before_nine", "nine"),
    [
        ("Asia/Jakarta", datetime(2026, 5, 10, 1, 59, 59, tzinfo=UTC), datetime(2026, 5, 10, 2, tzinfo=UTC)),
        (
            "Pacific/Kiritimati",
            datetime(2026, 5, 9, 18, 59, tzinfo=UTC),
            datetime(2026, 5, 9, 19, tzinfo=UTC),
        ),
        (
            "Pacific/Pago_Pago",
            datetime(2026, 5, 10, 19, 59, tzinfo=UTC),
            datetime(2026, 5, 10, 20, tzinfo=UTC),
        ),
    ],
)
def test_the_hour_and_the_day_are_the_zones_own(zone, before_nine, nine):
    account = replace(JAKARTA, time_zone=zone)
    assert notice(STEPS, account, before_nine, [owed()]) is None
    said = notice(STEPS, account, nine, [owed()])
    assert said is not None
    assert said.local_date == DUE
    assert begun(STEPS.hour, [zone], before_nine) == []
    assert [day.local_date for day in begun(STEPS.hour, [zone], nine)] == [DUE]


def test_a_sale_after_the_hour_speaks_up_on_its_next_day_alone_but_is_listed():
    afternoon = owed(DUE, 2, issued_at=datetime(2026, 5, 10, 2, 0, tzinfo=UTC))
    evening = datetime(2026, 5, 10, 12, tzinfo=UTC)
    assert notice(STEPS, JAKARTA, evening, [afternoon]) is None
    said = notice(STEPS, JAKARTA, evening, [afternoon, owed()])
    assert said is not None
    assert len(said.due) == 2
    assert notice(STEPS, JAKARTA, evening + timedelta(days=1), [afternoon]) is not None


@given(
    due=st.lists(st.integers(-40, 40), max_size=8),
    zone=st.sampled_from(["Asia/Jakarta", "Pacific/Apia", "America/St_Johns", "Pacific/Honolulu"]),
    hours=st.integers(0, 72),
    hour=st.integers(0, 23),
    steps_of=st.frozensets(st.integers(-30, 30)),
)
def test_any_notice_is_of_its_day_and_lists_what_is_open(due, zone, hours, hour, steps_of):
    steps = Steps(hour, steps_of)
    account = replace(JAKARTA, time_zone=zone)
    now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=hours)
    today = now.astimezone(ZoneInfo(zone)).date()
    invoices = [owed(today + timedelta(days=days), n) for n, days in enumerate(due)]
    said = notice(steps, account, now, invoices)
    at_a_step = any(-days in steps_of for days in due)
    assert (said is not None) == (at_a_step and now.astimezone(ZoneInfo(zone)).hour >= hour)
    if said is not None:
        assert {i.invoice_id for i in said.overdue} == {i.invoice_id for i in invoices if i.due_on < today}
        assert all(i.due_on >= today for i in said.due)
        assert said.overdue or said.due
        assert said.local_date == today
