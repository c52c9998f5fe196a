"""Local days: in the customer's IANA zone, in UTC where none is known."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_day(at: datetime, zone: str) -> date:
    """Return the day of an instant in an IANA zone; without a zone, in UTC."""
    return at.astimezone(_zone(zone)).date() if zone else at.astimezone(UTC).date()


def begins(day: date, zone: str) -> datetime:
    """Return the instant at which a local day begins: 00:00, or the first one where clocks skip that."""
    return datetime.combine(day, time.min, _zone(zone) if zone else UTC).astimezone(UTC)


def turned(now: datetime, zone: str, last: date | None) -> date:
    """Return the local day that has turned since `last`; clocks that go back bring none back."""
    day = local_day(now, zone)
    return day if last is None else max(day, last + timedelta(days=1))
