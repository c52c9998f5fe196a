"""Which local dates are in play, and whether a person is greeted on one. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from notify.messages.hours import zone_of

# From the last zone of the earth to the first.
_LAST, _FIRST = timedelta(hours=-12), timedelta(hours=14)


def dates_in_play(now: datetime) -> list[date]:
    """Return the local dates that it is now somewhere on earth, in order: two or three."""
    first, last = (now + _LAST).date(), (now + _FIRST).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def is_today(day: date, zone: str, now: datetime) -> bool:
    """Tell whether it is `day` where the person is: yesterday's are never made up for."""
    return now.astimezone(zone_of(zone)).date() == day


def due(asked_at: datetime | None, now: datetime, every: timedelta) -> bool:
    """Tell whether to ask again: after a while, and at once when a date has begun somewhere."""
    if asked_at is None or now - asked_at >= every:
        return True
    return dates_in_play(now) != dates_in_play(asked_at)
