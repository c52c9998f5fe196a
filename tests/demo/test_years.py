"""Years pass: birthdays, 29 February among them, are greeted once each, and the calendar holds."""

import datetime
from dataclasses import replace

import pytest

from local.demo.oracle.birthdays import greeted_on
from local.demo.oracle.books import Books
from local.demo.oracle.days import DAY, beginning, ending, local_date, months_later
from local.demo.oracle.points import PointsBook
from local.demo.oracle.post import Post
from local.demo.people import Directory, meet

LEAP = datetime.date(1988, 2, 29)
MORNING = 3 * 3600


@pytest.mark.parametrize(
    ("year", "day"), [(2017, 28), (2024, 29), (2027, 28), (2028, 29), (2100, 28), (2000, 29)]
)
def test_the_29th_of_february_is_greeted_on_the_28th_in_common_years(year: int, day: int) -> None:
    assert greeted_on(LEAP, year) == datetime.date(year, 2, day)


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
def test_over_2027_and_2028_everyone_is_greeted_once_a_year_on_the_right_day(zone: str) -> None:
    for born in (LEAP, datetime.date(1990, 2, 28), datetime.date(1990, 12, 31), datetime.date(1990, 1, 1)):
        person = replace(Directory(1).person(1), born=born, greets=True, email="sari@example.com")
        books = Books("C", person, zone, PointsBook(zone), Post(zone, True, True))
        sent: list[datetime.date] = []
        start = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC).timestamp() // DAY
        for day in range(int(start), int(start) + 731):
            for now in (day * DAY + MORNING, (day + 1) * DAY):
                before = books.post.sent
                books.sweep(now)
                sent += [local_date(now, zone)] * (books.post.sent - before)
        assert sent == [greeted_on(born, 2027), greeted_on(born, 2028)]


def test_points_of_the_31st_live_to_the_end_of_a_shorter_month() -> None:
    assert months_later(datetime.date(2027, 11, 30), 3) == datetime.date(2028, 2, 29)
    assert months_later(datetime.date(2026, 11, 30), 3) == datetime.date(2027, 2, 28)
    assert months_later(datetime.date(2017, 12, 15), 3) == datetime.date(2018, 3, 15)


def test_points_expire_when_their_last_local_day_has_ended_29_february_included() -> None:
    zone = "Asia/Jayapura"
    book = PointsBook(zone)
    book.purse.give(7, datetime.date(2028, 2, 29))
    for day in range(27, 32):
        book.sweep(beginning(datetime.date(2028, 2, 1), zone) + day * DAY + 12 * 3600)
    assert [(one.points, one.at) for one in book.entries] == [(-7, ending(datetime.date(2028, 2, 29), zone))]
    assert ending(datetime.date(2028, 2, 29), zone) == beginning(datetime.date(2028, 3, 1), zone)


def test_two_people_of_every_run_are_born_on_29_february_and_want_to_be_greeted() -> None:
    for seed in range(3):
        people = meet(range(30), seed)
        born = [one for one in people.values() if one.born and (one.born.month, one.born.day) == (2, 29)]
        assert len(born) >= 2
        assert all(one.greets and one.email and not one.organisation for one in born[:2])
        assert {one.birth_year_known for one in born[:2]} == {True, False}
