"""Every metric of loyalty, listed once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from kit.metrics import SECONDS

POINTS = Counter("langganan_loyalty_points_total", "Points booked, by kind of entry (absolute)", ["kind"])
RESERVATIONS = Counter(
    "langganan_loyalty_reservations_total", "Reservations decided, by outcome", ["outcome"]
)
EXCEPTIONS = Counter(
    "langganan_loyalty_exceptions_total", "Points tenders booked without leave, by mark", ["mark"]
)
EXCEPTIONS_OPEN = Gauge(
    "langganan_loyalty_exceptions_open", "Points tenders that staff must still look at, by mark", ["mark"]
)
NOTICED = Counter("langganan_loyalty_noticed_lots_total", "Lots told of before they expire")
RESERVATIONS_EXPIRED = Counter(
    "langganan_loyalty_reservations_expired_total", "Reservations whose time was over unused"
)
TIER_FALLS = Counter("langganan_loyalty_tier_falls_total", "Daily decisions that led to a lower tier")
TIER_CHANGES = Counter("langganan_loyalty_tier_changes_total", "Changes of tier, by cause", ["cause"])
PLUGIN_SECONDS = Histogram(
    "langganan_loyalty_plugin_seconds",
    "Seconds that a plugin takes for one decision, inside a transaction",
    ["plugin"],
    buckets=(0.00001, 0.0001, *SECONDS),
)
