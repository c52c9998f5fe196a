"""Which instants a period of local dates covers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Beyond these no zone has a day of its own.
_FIRST, _LAST = date(1, 1, 3), date(9999, 12, 28)


@dataclass(frozen=True, slots=True)
class Period:
    """From one instant, included, to another that is not."""

    opens: datetime
    closes: datetime


def period(first: date, last: date, zone: str) -> Period:
    """Return the instants of the local dates `first` to `last`, both included; UTC."""
    return Period(_midnight(first, zone), _midnight(min(last, _LAST) + timedelta(days=1), zone))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(max(day, _FIRST), time(), ZoneInfo(zone)).astimezone(UTC)
