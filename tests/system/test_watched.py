"""What dashboards and alerts ask for is what a running stack really shows, after sales that touch it all."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import shutil
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from kit.rpc.metrics import CODES
from kit.testing import eventually
from langganan.types.v1 import tender_pb2
from local import prometheus
from local.demo.figures import parse
from local.demo.gateway import Gateway
from local.http import get
from local.services import SERVICES
from local.stack import Stack
from tests.deploy.promql import Matcher, named, panels, rules
from tests.system.trade import LIMIT, Trade, operate, rupiah

# What the scrape adds, and what Prometheus itself knows.
ADDED = {"service", "role", "instance", "job"}
OF_PROMETHEUS = {"up": ADDED, "ALERTS": {*ADDED, "alertname", "alertstate", "severity"}}


@dataclass
class Shown:
    """What one process shows: its series by name, and the labels and their values seen on each."""

    series: set[str] = field(default_factory=set)
    labels: dict[str, set[str]] = field(default_factory=dict)
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    samples: list[tuple[str, dict[str, str]]] = field(default_factory=list)


async def page(port: int) -> Shown:
    """Read what a process shows; a metric of which nothing has happened yet is there by its name alone."""
    _, body = await get(port, "/metrics")
    shown = Shown()
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", body.decode(), re.MULTILINE):
        endings = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
        shown.series |= {name + ending for ending in endings}
    for name, labels, _ in parse(body.decode()):
        shown.samples.append((name, labels))
        shown.labels.setdefault(name, set()).update(labels)
        for label, value in labels.items():
            shown.values.setdefault((name, label), set()).add(value)
    return shown


def declared() -> dict[str, set[str]]:
    """The labels that the code gives each series, for what has no sample."""
    modules = [importlib.import_module(name) for name in ("kit.metrics", *(f"{s}.metrics" for s in SERVICES))]
    found = {}
    for metric in (v for m in modules for v in vars(m).values() if isinstance(v, MetricWrapperBase)):
        name, labels = metric._name, set(metric._labelnames)
        found |= {name: labels, f"{name}_total": labels, f"{name}_count": labels, f"{name}_sum": labels}
        found[f"{name}_bucket"] = labels | {"le"}
    return found


@pytest.fixture(scope="module")
async def traded(stack: Stack) -> AsyncIterator[Trade]:
    """A shop of one customer: sales by cash, points and on account, one that nobody allowed; then audits."""
    till = Gateway(stack.grpc, stack.token(merchant="warung"))
    trade = Trade(stack, till)
    await trade.open()
    customer = await trade.register()
    await trade.sell(customer, cash=50_000)
    await stack.settled()
    await trade.sell(customer, cash=10_000, credit=20_000, points=5)
    await trade.authorize(customer, LIMIT, str(uuid.uuid4()))
    unknown = tender_pb2.Tender(tender_id="credit", amount=rupiah(1_000))
    unknown.on_account.hold_id = str(uuid.uuid4())
    await trade.record(customer, [unknown], str(uuid.uuid4()))
    await stack.settled()
    looked = await asyncio.gather(
        *(operate(stack, service, "audit") for service in ("customers", "loyalty", "credit")),
        operate(stack, "customers", "reconcile"),
    )
    assert [
        said for code, said in looked if code not in (0, 1)
    ] == []  # what they find is not the matter here
    await stack.settled()
    yield trade
    await till.close()


@pytest.fixture(scope="module")
async def shown(stack: Stack, traded: Trade) -> dict[str, Shown]:
    """What each service shows."""
    del traded  # it has been here
    pages = await asyncio.gather(*(page(port) for port in stack.http.values()))
    return dict(zip(stack.http, pages, strict=True))


def expressions() -> list[tuple[str, str]]:
    """Every expression of a panel or rule, and where it stands."""
    asked = [(where, expr) for where, _, _, expr in panels()]
    return asked + [(rule.get("alert", rule.get("record", "")), rule["expr"]) for rule in rules()]


def test_every_metric_and_label_that_is_asked_for_is_shown(shown: dict[str, Shown]) -> None:
    recorded = {rule["record"]: {"service"} for rule in rules() if "record" in rule}
    by_code = declared()
    wrong = []
    for where, expression in expressions():
        found = named(expression)
        known = set(ADDED)
        for metric, matchers in found.selectors:
            if metric in recorded or metric in OF_PROMETHEUS:
                labels = recorded.get(metric) or OF_PROMETHEUS[metric]
            else:
                asked = {m.value for m in matchers if m.label == "service" and m.sign == "="} or set(SERVICES)
                holders = [name for name in asked if metric in shown[name].series]
                seen = set().union(*(shown[name].labels.get(metric, set()) for name in holders))
                labels = (seen or by_code.get(metric, set())) | ADDED
                if not holders:
                    wrong.append(f"{where}: {metric} is not shown by {' or '.join(sorted(asked))}")
            known |= labels
            wrong += [f"{where}: {metric} has no {m.label}" for m in matchers if m.label not in labels]
        wrong += [f"{where}: nothing in it has {label}" for label in found.groups - known]
    assert not wrong, "\n".join(wrong)


def test_every_value_that_is_asked_for_has_been_seen(shown: dict[str, Shown]) -> None:
    checked, wrong = 0, []
    for where, expression in expressions():
        for metric, matchers in named(expression).selectors:
            for matcher in (m for m in matchers if m.label not in ADDED and metric not in OF_PROMETHEUS):
                wanted = values(matcher)
                seen = set().union(
                    *(one.values.get((metric, matcher.label), set()) for one in shown.values())
                )
                if matcher.label == "grpc_code":
                    seen = set(CODES.values())
                checked += len(wanted)
                wrong += [f"{where}: no {metric} with {matcher.label}={v}" for v in wanted - seen]
    assert checked > 30
    assert not wrong, "\n".join(wrong)


def values(matcher: Matcher) -> set[str]:
    """The values that a condition spells out."""
    spelled = matcher.value.split("|") if matcher.sign in ("=~", "!~") else [matcher.value]
    return {value for value in spelled if re.fullmatch(r"[\w.-]+", value) and not value.endswith(".*")}


@pytest.fixture(scope="module")
async def watcher(stack: Stack, traded: Trade) -> AsyncIterator[str]:
    """The address of a Prometheus that has read every process a few times while something was sold."""
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed (Debian package: prometheus)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prometheus, "EVERY_SECONDS", 1)
        address = await prometheus.start(stack)
    (customer,) = traded.emails

    async def read() -> bool:
        await traded.sell(customer, cash=2_000, credit=1_000)
        await traded.books(customer)
        up = await ask(address, "query", query="count_over_time(up[1m]) >= 3 and up == 1")
        burn = await ask(address, "query", query="langganan:calls_slow:ratio_rate5m")
        return len(up["result"]) == len(SERVICES) and len(burn["result"]) >= 3

    try:
        await eventually(read, within=60, every=0.5)
        yield address
    finally:
        await asyncio.to_thread(stack.parts.pop("prometheus").stop, 10)


async def ask(address: str, path: str, **parameters: str) -> Any:
    """Return the data that Prometheus answers; fail with its words where it refuses."""
    url = f"{address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"

    def fetch() -> Any:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    return await asyncio.to_thread(fetch)


def happened(shown: dict[str, Shown], expression: str) -> bool:
    """Whether there is a sample for each selector of an expression; failures, for one, there may be none."""
    return all(
        metric in OF_PROMETHEUS
        or ":" in metric
        or any(
            name == metric and all(fits(m, {"service": service, **labels}) for m in matchers)
            for service, one in shown.items()
            for name, labels in one.samples
        )
        for metric, matchers in named(expression).selectors
    )


def fits(matcher: Matcher, labels: dict[str, str]) -> bool:
    """Whether a condition holds, as Prometheus reads it."""
    value = labels.get(matcher.label, "")
    same = matcher.value == value if "~" not in matcher.sign else bool(re.fullmatch(matcher.value, value))
    return same != matcher.sign.startswith("!")


async def test_a_prometheus_that_reads_the_stack_has_an_answer_to_every_panel_of_which_anything_happened(
    shown: dict[str, Shown], watcher: str
) -> None:
    asked = [(where, expr) for where, _, _, expr in panels() if happened(shown, expr)]
    assert len(asked) > 100
    answers = [await ask(watcher, "query", query=expr) for _, expr in asked]
    empty = [where for (where, _), answer in zip(asked, answers, strict=True) if not answer["result"]]
    assert not empty, "\n".join(empty)


async def test_every_rule_is_healthy_and_nobody_is_paged_while_all_is_well(watcher: str) -> None:
    groups = (await ask(watcher, "rules"))["groups"]
    found = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert found == {rule.get("alert", rule.get("record")): "ok" for rule in rules()}
    assert (await ask(watcher, "query", query='ALERTS{severity="page"}'))["result"] == []
