"""Quiet hours, hours of greeting and the ends of local days, by table and minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.messages.hours import Span, end_of, first_leave, latest_end_of
from notify.messages.model import Contact, Outcome, Reason, State, held, last_use
from notify.templates.catalogue import Leaves

QUIET, GREETING = Span(time(21), time(8)), Span(time(9), time(17))
JAKARTA = "Asia/Jakarta"
ZONES = ["Asia/Jakarta", "Asia/Jayapura", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"]


def at(text: str, zone: str = JAKARTA) -> datetime:
    """An instant by its local date and time in 2026."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "leaves", "expected"),
    [
        ("03-05T12:00", Leaves.NOT_QUIET, "03-05T12:00"),
        ("03-05T20:59", Leaves.NOT_QUIET, "03-05T20:59"),
        ("03-05T21:00", Leaves.NOT_QUIET, "03-06T08:00"),
        ("03-06T07:59", Leaves.NOT_QUIET, "03-06T08:00"),
        ("03-06T08:00", Leaves.NOT_QUIET, "03-06T08:00"),
        ("03-05T23:00", Leaves.ANY_TIME, "03-05T23:00"),
        ("03-05T08:30", Leaves.GREETING, "03-05T09:00"),
        ("03-05T16:59", Leaves.GREETING, "03-05T16:59"),
        ("03-05T17:00", Leaves.GREETING, "03-06T09:00"),
        ("03-05T23:00", Leaves.GREETING, "03-06T09:00"),
    ],
)
def test_a_message_leaves_at_the_first_decent_minute(now: str, leaves: Leaves, expected: str) -> None:
    assert first_leave(at(now), JAKARTA, leaves, QUIET, GREETING) == at(expected)


def test_quiet_hours_have_the_last_word_over_greeting_hours() -> None:
    late = Span(time(21), time(9, 30))
    assert first_leave(at("03-05T09:10"), JAKARTA, Leaves.GREETING, late, GREETING) == at("03-05T09:30")
    assert first_leave(at("03-05T12:00"), JAKARTA, Leaves.GREETING, Span(time(8), time(18)), GREETING) is None


def test_a_shop_without_hours_holds_nothing() -> None:
    assert first_leave(at("03-05T23:00"), JAKARTA, Leaves.GREETING, None, None) == at("03-05T23:00")


MINUTES = st.integers(0, 1439).map(lambda n: time(n // 60, n % 60))
SPANS = st.builds(Span, MINUTES, MINUTES).filter(lambda s: s.start != s.end)
INSTANTS = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001
    datetime(2028, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda d: d.replace(second=0, microsecond=0))


@given(INSTANTS, st.sampled_from(ZONES), SPANS, SPANS, st.sampled_from(list(Leaves)))
def test_no_earlier_minute_would_have_done(
    now: datetime, zone: str, quiet: Span, greeting: Span, leaves: Leaves
) -> None:
    def decent(instant: datetime) -> bool:
        clock = instant.astimezone(ZoneInfo(zone)).time()
        if leaves is Leaves.ANY_TIME:
            return True
        return not quiet.holds(clock) and (leaves is Leaves.NOT_QUIET or greeting.holds(clock))

    leave = first_leave(now, zone, leaves, quiet, greeting)
    minutes = (now + timedelta(minutes=n) for n in range(3 * 1440))
    assert leave == next((minute for minute in minutes if decent(minute)), None)


@pytest.mark.parametrize("zone", ZONES)
def test_a_local_day_ends_with_its_last_instant(zone: str) -> None:
    day = date(2026, 3, 5)
    end = end_of(day, zone)
    assert end.astimezone(ZoneInfo(zone)).date() == day
    assert (end + timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == date(2026, 3, 6)
    assert end <= latest_end_of(day)


def contact(zone: str = JAKARTA) -> Contact:
    return Contact(Reason.NONE, (), "", "id", "id-ID", "Toko", zone, QUIET, GREETING)


def test_what_is_held_counts_as_no_attempt_and_says_until_when() -> None:
    outcome = held(contact(), Leaves.NOT_QUIET, at("03-05T22:00"), at("03-07T00:00"), 1)
    assert outcome == Outcome(State.PENDING, not_before=at("03-06T08:00"), tried=False)
    assert held(contact(), Leaves.NOT_QUIET, at("03-06T08:00"), at("03-07T00:00"), 2) is None


@pytest.mark.parametrize(("attempts", "state"), [(1, State.SKIPPED), (2, State.FAILED)])
def test_hours_that_begin_too_late_end_the_message_at_once(attempts: int, state: State) -> None:
    outcome = held(contact(), Leaves.GREETING, at("03-05T18:00"), end_of(date(2026, 3, 5), JAKARTA), attempts)
    assert outcome == Outcome(state, Reason.NOT_AFTER_PASSED)


def test_a_local_date_of_last_use_becomes_an_instant_with_the_zone() -> None:
    upper = latest_end_of(date(2026, 3, 5))
    assert last_use(date(2026, 3, 5), JAKARTA, upper) == end_of(date(2026, 3, 5), JAKARTA)
    assert last_use(None, JAKARTA, upper) == upper
