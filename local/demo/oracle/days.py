"""Local days: in which one an instant lies, when one begins, what time of it an instant is."""

from __future__ import annotations

import calendar
import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 86_400


@lru_cache(maxsize=4096)
def local_date(at: int, zone: str) -> datetime.date:
    """Give the local date of an instant, seconds since 1970."""
    return datetime.datetime.fromtimestamp(at, ZoneInfo(zone)).date()


@lru_cache(maxsize=4096)
def local_time(at: int, zone: str) -> datetime.time:
    """Give the local time of day of an instant, seconds since 1970."""
    return datetime.datetime.fromtimestamp(at, ZoneInfo(zone)).time()


@lru_cache(maxsize=4096)
def beginning(day: datetime.date, zone: str) -> int:
    """Give the instant at which a local date begins, seconds since 1970."""
    return int(datetime.datetime.combine(day, datetime.time(), ZoneInfo(zone)).timestamp())


def ending(day: datetime.date, zone: str) -> int:
    """Give the instant at which a local date has ended, seconds since 1970."""
    return beginning(day + datetime.timedelta(days=1), zone)


def months_later(day: datetime.date, months: int) -> datetime.date:
    """Give the same day some months later, or the month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(day.day, last))


def within(time: datetime.time, start: datetime.time, end: datetime.time) -> bool:
    """Tell whether a time of day lies in [start, end), which may pass midnight."""
    if start <= end:
        return start <= time < end
    return time >= start or time < end
