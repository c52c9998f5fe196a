"""What `make bench` measures, in this order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bench import authorize, consumer, fairness, streams
from bench.growth import measure as growth
from bench.setting import Bench

Measure = Callable[[Bench], Awaitable[dict[str, Any]]]
MEASURES: Sequence[tuple[str, Measure]] = (
    (authorize.NAME, authorize.measure),
    (streams.NAME, streams.measure),
    # Before consumer: what that leaves behind, Postgres tidies up for a while beside whoever comes next.
    (fairness.NAME, fairness.measure),
    (consumer.NAME, consumer.measure),
    (growth.NAME, growth.measure),
)
# Not in the short form.
LONG = frozenset({growth.NAME})
