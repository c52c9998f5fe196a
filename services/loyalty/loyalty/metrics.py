"""Every metric of loyalty, listed once."""

from __future__ import annotations

from prometheus_client import Counter

POINTS = Counter("langganan_loyalty_points_total", "Points booked, by kind of entry (absolute)", ["kind"])
RESERVATIONS = Counter(
    "langganan_loyalty_reservations_total", "Reservations decided, by outcome", ["outcome"]
)
EXCEPTIONS = Counter(
    "langganan_loyalty_exceptions_total", "Points tenders booked without leave, by mark", ["mark"]
)
TIER_CHANGES = Counter("langganan_loyalty_tier_changes_total", "Changes of tier, by cause", ["cause"])
