"""Whose birthday it is: every day of 2027 and of 2028, a leap year, and the contract of occasions."""

import calendar
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kit import plugins
from kit.errors import FailedPrecondition, InvalidArgument
from notify.app import occasions_of
from notify.occasions.contract import OccasionContract
from notify.occasions.model import dates_in_play, due, is_today
from notify.occasions.plugins import CONTRACT, GROUP, LEAP_DAY, Birthday, BirthdayConfig
from notify.settings import Settings


class TestBirthday(OccasionContract):
    """The built-in occasion."""

    def occasion(self) -> Birthday:
        return Birthday(BirthdayConfig())


class TestBirthdayOnTheFirstOfMarch(OccasionContract):
    """The built-in occasion with the other day for the leap day."""

    def occasion(self) -> Birthday:
        return Birthday(BirthdayConfig(leap_day="1 March"))


def days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=n) for n in range(366 if calendar.isleap(year) else 365)]


@pytest.mark.parametrize("leap_day", ["28 February", "1 March"])
@pytest.mark.parametrize("year", [2027, 2028])
def test_everybody_has_one_birthday_a_year_and_on_the_day_itself(year: int, leap_day: str) -> None:
    birthday = Birthday(BirthdayConfig.model_validate({"leap_day": leap_day}))
    greeted = Counter((born, day) for day in days_of(year) for born in birthday.born_on(day))
    assert set(greeted.values()) == {1}
    days = dict(greeted.keys())
    assert len(days) == len(greeted) == 366
    for born, day in days.items():
        if born != LEAP_DAY or calendar.isleap(year):
            assert (day.month, day.day) == born


@pytest.mark.parametrize(
    ("year", "leap_day", "expected"),
    [
        (2027, "28 February", date(2027, 2, 28)),
        (2027, "1 March", date(2027, 3, 1)),
        (2028, "28 February", date(2028, 2, 29)),
        (2028, "1 March", date(2028, 2, 29)),
    ],
)
def test_who_is_born_on_29_february_is_greeted_once(year: int, leap_day: str, expected: date) -> None:
    birthday = Birthday(BirthdayConfig.model_validate({"leap_day": leap_day}))
    assert [day for day in days_of(year) if LEAP_DAY in birthday.born_on(day)] == [expected]


def test_another_day_for_the_leap_day_is_refused() -> None:
    with pytest.raises(ValidationError):
        BirthdayConfig.model_validate({"leap_day": "2 March"})


@given(
    st.datetimes(datetime(2027, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(
        ["Asia/Jakarta", "Asia/Jayapura", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"]
    ),
)
def test_the_date_of_every_zone_is_in_play_and_is_today_there_alone(now: datetime, zone: str) -> None:
    days = dates_in_play(now)
    assert len(days) in (2, 3)
    assert [day for day in days if is_today(day, zone, now)] == [now.astimezone(ZoneInfo(zone)).date()]


def test_it_is_asked_again_after_a_while_and_when_a_date_begins_somewhere() -> None:
    quarter, noon = timedelta(minutes=15), datetime(2027, 6, 1, 10, 50, tzinfo=UTC)
    assert due(None, noon, quarter)
    assert not due(noon, noon, quarter)
    assert not due(noon - timedelta(minutes=14), noon, quarter)
    assert due(noon - quarter, noon, quarter)
    midnight = datetime(2027, 6, 1, 12, 0, tzinfo=UTC)  # of 1 June at UTC-12, where 31 May ends
    assert due(midnight - timedelta(minutes=5), midnight, quarter)


def settings(occasions: dict[str, dict[str, str]]) -> Settings:
    return Settings(database_url="unused", occasions=occasions)


def test_the_birthday_is_greeted_unless_a_merchant_says_otherwise() -> None:
    assert list(occasions_of(Settings(database_url="unused"))) == ["birthday"]
    assert occasions_of(settings({})) == {}
    assert plugins.load(GROUP, CONTRACT)["birthday"] is Birthday


def test_a_missing_occasion_and_a_wrong_configuration_are_named() -> None:
    with pytest.raises(FailedPrecondition, match="name_day"):
        occasions_of(settings({"name_day": {}}))
    with pytest.raises(InvalidArgument, match="leap_day"):
        occasions_of(settings({"birthday": {"leap_day": "never"}}))
