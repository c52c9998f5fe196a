"""Figures are read from the services' pages as Prometheus writes them."""

from array import array

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from local.demo.figures import parse, quantile, total
from local.demo.report import percentile


def test_a_page_is_read_with_its_labels() -> None:
    registry = CollectorRegistry()
    counter = Counter("sent_total", "Sent", ["state", "why"], registry=registry)
    counter.labels("SENT", "").inc(3)
    counter.labels("SKIPPED", 'no "contact"').inc(2)
    samples = parse(generate_latest(registry).decode())
    assert total(samples, "sent_total") == 5
    assert total(samples, "sent_total", state="SENT") == 3


def test_a_quantile_lies_within_the_bucket_that_holds_it() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("lag", "Lag", ["group"], buckets=(0.1, 0.5, 1), registry=registry)
    for value in [0.05] * 98 + [0.4, 0.9]:
        histogram.labels("loyalty").observe(value)
    samples = parse(generate_latest(registry).decode())
    assert quantile(samples, "lag", 0.5) < 0.1
    assert quantile(samples, "lag", 0.99) == pytest.approx(0.5)
    assert quantile(samples, "nothing", 0.99) == 0.0


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile(array("d", range(100)), 0.99) == 99
    assert percentile(array("d"), 0.5) == 0.0
