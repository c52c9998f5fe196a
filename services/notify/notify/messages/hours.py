"""When a message may leave: quiet hours, hours of greeting, and the end of a local day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from notify.templates.catalogue import Leaves

# Out of quiet hours into hours of greeting, and once more where they meet; more hops mean never.
_HOPS = 4
_MIDNIGHT = time(0)
# The last zone of the earth in which a date ends.
_LAST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Span:
    """Local time of day from `start` until before `end`; it may pass midnight. Equal: all day."""

    start: time
    end: time

    def holds(self, at: time) -> bool:
        """Tell whether a local time lies in it."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name; raises for one that does not exist."""
    return ZoneInfo(name or "UTC")


def first_leave(
    now: datetime, zone: str, leaves: Leaves, quiet: Span | None, greeting: Span | None
) -> datetime | None:
    """Return the first instant from `now` at which a message may leave; None: it never may.

    A message that leaves in hours of greeting leaves in quiet ones neither.
    """
    if leaves is Leaves.ANY_TIME:
        return now
    local, at = zone_of(zone), now
    for _ in range(_HOPS):
        clock = at.astimezone(local).time()
        if quiet is not None and quiet.holds(clock):
            at = _next(at, local, quiet.end)
        elif leaves is Leaves.GREETING and greeting is not None and not greeting.holds(clock):
            at = _next(at, local, greeting.start)
        else:
            return at
    return None


def _next(now: datetime, zone: ZoneInfo, clock: time) -> datetime:
    """Return the next instant after `now` at which local clocks show `clock`, or where they jump over it."""
    today = now.astimezone(zone).date()
    for days in range(3):
        at = datetime.combine(today + timedelta(days=days), clock, zone).astimezone(UTC)
        if at > now:
            return at
    raise AssertionError("a time of day comes once a day")


def end_of(day: date, zone: str) -> datetime:
    """Return the last instant of a local date."""
    return _end(datetime.combine(day + timedelta(days=1), _MIDNIGHT, zone_of(zone)).astimezone(UTC))


def latest_end_of(day: date) -> datetime:
    """Return the last instant at which a date ends anywhere: an upper bound until the zone is known."""
    return _end(datetime.combine(day + timedelta(days=1), _MIDNIGHT, UTC) + _LAST)


def _end(following: datetime) -> datetime:
    return following - timedelta(microseconds=1)
