"""Every metric of notify, listed once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGES_MADE = Counter("langganan_notify_messages_made_total", "Messages stored, by kind", ["kind"])
MESSAGES_FINISHED = Counter(
    "langganan_notify_messages_finished_total",
    "Messages sent, skipped or given up; the channel is empty where none had been chosen",
    ["kind", "state", "reason", "channel"],
)
ATTEMPTS_FAILED = Counter(
    "langganan_notify_attempts_failed_total",
    "Attempts that did not succeed, by channel and reason",
    ["channel", "reason"],
)
LEASES_LOST = Counter(
    "langganan_notify_leases_lost_total", "Outcomes that came after another worker had taken the message over"
)
CONTACTS_SECONDS = Histogram(
    "langganan_notify_contacts_seconds", "Seconds to ask customers for a batch's contacts"
)
CREDIT_SECONDS = Histogram(
    "langganan_notify_credit_seconds", "Seconds to ask credit what is still open of a batch's invoices"
)
MESSAGES_HELD = Counter(
    "langganan_notify_messages_held_total", "Times a message was put off to its customer's hours", ["kind"]
)
OCCASIONS_ASKED = Counter(
    "langganan_notify_occasions_asked_total",
    "Times a merchant's occasion was asked for, by outcome",
    ["occasion", "outcome"],
)
OCCASION_ASKED = Gauge(
    "langganan_notify_occasion_asked_seconds",
    "When an occasion was last asked for, of the merchant of whom that is longest ago: business Unix time, "
    "0: never",
    ["occasion"],
)
SEND_SECONDS = Histogram(
    "langganan_notify_send_seconds", "Seconds that a channel took for one message", ["channel"]
)
WAIT_SECONDS = Histogram(
    "langganan_notify_wait_seconds",
    "Wall seconds from a message's making to its end",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600),
)
