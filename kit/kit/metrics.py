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

BATCH_SIZE = Histogram(
    "langganan_batch_size", "Requests a batch", ["batch"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
BATCH_QUEUE = Gauge("langganan_batch_queue", "Requests that wait for a batch", ["batch"])
BATCH_RETRIES = Counter("langganan_batch_retries_total", "Batches run again, by cause", ["batch", "cause"])

POOL_SIZE = Gauge("langganan_pool_connections", "Open database connections", ["pool"])
POOL_BUSY = Gauge("langganan_pool_busy", "Database connections in use", ["pool"])

SWEEP_DONE = Counter("langganan_sweep_done_total", "Things done by a sweep", ["sweep"])
SWEEP_FAILED = Counter("langganan_sweep_failed_total", "Rounds of a sweep that failed", ["sweep"])
