"""Birthdays: the local date on which somebody is greeted in a year."""

from __future__ import annotations

import calendar
import datetime


def greeted_on(born: datetime.date, year: int) -> datetime.date:
    """Give the day of a year; who was born on 29 February is greeted on the 28th in common years."""
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return datetime.date(year, 2, 28)
    return datetime.date(year, born.month, born.day)
