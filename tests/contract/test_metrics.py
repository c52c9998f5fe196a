"""The names of metrics are what dashboards and alerts are written in."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("customers", "loyalty", "credit", "notify")


def names_in(module: str) -> Iterator[str]:
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, MetricWrapperBase):
            yield from (metric.name for metric in value.describe())


@pytest.mark.parametrize(
    ("module", "prefix"),
    [
        ("kit.metrics", ("langganan_", "grpc_server_")),
        *((f"{s}.metrics", f"langganan_{s}_") for s in SERVICES),
    ],
)
def test_a_metric_says_whose_it_is(module: str, prefix: str | tuple[str, ...]) -> None:
    names = list(names_in(module))
    assert names
    assert [name for name in names if not name.startswith(prefix)] == []


def test_what_the_demo_shows_is_measured() -> None:
    shown = {
        name
        for path in (ROOT / "local" / "demo").glob("*.py")
        for name in re.findall(r"\b(?:total|quantile)\(.*[\"'](\w+_\w+)[\"']", path.read_text())
    }
    known = {n for module in ("kit.metrics", *(f"{s}.metrics" for s in SERVICES)) for n in names_in(module)}
    assert len(shown) > 3
    assert {name.removesuffix("_total") for name in shown} <= known
