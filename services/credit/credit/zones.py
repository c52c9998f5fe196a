"""IANA time zones, checked where they come in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from credit.errors import InvalidTimeZone


def known_zone(name: str) -> str:
    """Return the name of a zone that exists; raise INVALID_TIME_ZONE."""
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # unknown, malformed, a folder of zones
        raise InvalidTimeZone(name) from error
    return name
