"""Every metric of the mechanism, listed once; each service lists its own in its metrics.py."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# gRPC server, under the names that published dashboards know.
GRPC_HANDLED = Counter(
    "grpc_server_handled_total",
    "Calls completed on the server",
    ["grpc_service", "grpc_method", "grpc_code"],
)
GRPC_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Seconds from the arrival of a call to its answer",
    ["grpc_service", "grpc_method"],
    buckets=SECONDS,
)
GRPC_IN_FLIGHT = Gauge("langganan_grpc_in_flight", "Calls under way")
# An item of a stream counts as a call above; a stream as such only here.
GRPC_ITEMS = Gauge("langganan_grpc_items_in_flight", "Items of streams under way")
GRPC_STREAMS = Gauge("langganan_grpc_streams", "Open streams of items", ["grpc_service", "grpc_method"])
GRPC_STREAMS_ENDED = Counter(
    "langganan_grpc_streams_ended_total",
    "Streams of items that ended",
    ["grpc_service", "grpc_method", "grpc_code"],
)

BATCH_SIZE = Histogram(
    "langganan_batch_size", "Requests a batch", ["batch"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
BATCH_QUEUE = Gauge("langganan_batch_queue", "Requests that wait for a batch", ["batch"])
BATCH_RETRIES = Counter("langganan_batch_retries_total", "Batches run again, by cause", ["batch", "cause"])

POOL_SIZE = Gauge("langganan_pool_connections", "Open database connections", ["pool"])
POOL_BUSY = Gauge("langganan_pool_busy", "Database connections in use", ["pool"])
POOL_WAIT = Histogram(
    "langganan_pool_wait_seconds",
    "Seconds that somebody who comes once a second waits for a connection",
    ["pool"],
    buckets=SECONDS,
)

CLOCK_SKEW = Gauge(
    "langganan_clock_skew_seconds",
    "Seconds that this machine's wall clock is ahead of the database's at least; negative: behind",
)

SWEEP_DONE = Counter("langganan_sweep_done_total", "Things done by a sweep", ["sweep"])
SWEEP_FAILED = Counter("langganan_sweep_failed_total", "Rounds of a sweep that failed", ["sweep"])
SWEEP_LOOKED = Gauge(
    "langganan_sweep_looked_seconds", "When a sweep last looked without failing, Unix time", ["sweep"]
)

# Events.
OUTBOX_DEPTH = Gauge("langganan_outbox_depth", "Events that wait for Kafka, counted up to 100,000")
OUTBOX_AGE = Gauge("langganan_outbox_age_seconds", "Seconds that the oldest of them has waited")
RELAY_LEADING = Gauge(
    "langganan_relay_leading", "1 where this process sends a slice of the outbox", ["slice"]
)
RELAY_SENT = Counter("langganan_relay_sent_total", "Events that Kafka acknowledged", ["slice"])
RELAY_FAILURES = Counter("langganan_relay_failures_total", "Failed rounds of the relay", ["away"])
CONSUMER_UP = Gauge("langganan_consumer_up", "1 while events are applied, 0 while away or stopped", ["group"])
CONSUMER_LAG = Gauge(
    "langganan_consumer_lag_records", "Records that wait for this member", ["group", "topic"]
)
CONSUMER_LAG_SECONDS = Gauge(
    "langganan_consumer_lag_seconds", "Age of the oldest record in hand; 0 when none waits", ["group"]
)
CONSUMER_RETRIES = Counter(
    "langganan_consumer_retries_total", "Polls applied again, by cause", ["group", "cause"]
)
EVENT_SECONDS = Histogram(
    "langganan_event_seconds",
    "Seconds from a record's writing to its effect",
    ["group"],
    buckets=(*SECONDS, 60, 600),
)
POLL_SIZE = Histogram(
    "langganan_poll_records", "Records a poll", ["group"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
HANDLER_SECONDS = Histogram(
    "langganan_handler_seconds", "Seconds of a handler for one wave", ["group", "type"], buckets=SECONDS
)
INBOX_DUPLICATES = Counter(
    "langganan_inbox_duplicates_total", "Events that had been taken in before", ["group"]
)
PARKED = Counter("langganan_parked_total", "Events parked since the start, by status", ["group", "status"])
PARKED_EVENTS = Gauge("langganan_parked_events", "Events parked now, by status", ["group", "status"])
PARKED_CUSTOMERS = Gauge(
    "langganan_parked_customers", "Customers with parked events, by status", ["group", "status"]
)

# Audits, as the database says; see kit.audit.
AUDIT_FINISHED = Gauge("langganan_audit_finished_seconds", "When an audit last ended, Unix time", ["audit"])
AUDIT_PASSED = Gauge(
    "langganan_audit_passed_seconds", "When an audit last ended without a difference, Unix time", ["audit"]
)
AUDIT_DIFFERENCES = Gauge("langganan_audit_differences", "Differences that its last run found", ["audit"])
