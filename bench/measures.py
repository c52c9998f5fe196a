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
    (consumer.NAME, consumer.measure),
    (fairness.NAME, fairness.measure),
    (growth.NAME, growth.measure),
)
# Not in the short form.
LONG = frozenset({growth.NAME})
