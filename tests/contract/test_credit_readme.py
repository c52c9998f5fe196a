"""The README of credit, by which other services are built, names all that credit has, and nothing else."""

import re
import tomllib
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from credit import hears, metrics
from credit.settings import Settings
from kit.settings import ServiceSettings
from langganan.events.v1 import credit_pb2
from tests.system.methods import METHODS

CREDIT = Path(__file__).parents[2] / "services/credit"
README = (CREDIT / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def features(column: int) -> list[str]:
    """The cells of the table of features, which stands before the first section."""
    rows = [line.split("|") for line in README.split("\n## ", 1)[0].splitlines() if line.startswith("| [")]
    return [row[column] for row in rows]


def test_it_names_every_call() -> None:
    named = re.findall(r"`([A-Z]\w+)`", re.sub(r"\(.*?\)", "", "".join(features(2))))
    assert sorted(named) == sorted(
        method.name.rsplit("/", 1)[1] for method in METHODS.values() if method.service == "credit"
    )


def test_it_names_every_table_but_the_kits() -> None:
    tables = set(re.findall(r"^CREATE TABLE public\.(\w+)", (CREDIT / "credit/schema.sql").read_text(), re.M))
    kits = {"audits", "heard", "inbox", "inbox_default", "outbox", "parked_events"}
    named = set(re.findall(r"`([a-z_]+)`", "".join(features(3))))
    assert kits <= tables
    assert named == tables - kits


def test_it_names_every_folder_with_queries_or_calls() -> None:
    folders = {path.parent.name for path in (CREDIT / "credit").glob("*/*") if path.name == "rpc.py"}
    folders |= {path.parent.name for path in (CREDIT / "credit").glob("*/queries.sql")} - {"audit"}
    assert set(re.findall(r"\[(\w+)\]", "".join(features(1)))) == folders


def test_it_names_every_event() -> None:
    into, out = section("Events").split("\nOut, ")
    assert {name for name in hears.HANDLERS if f"`{name}`" in into} == set(hears.HANDLERS)
    parts = {"PaymentAllocation", "OpenInvoice"}
    messages = set(credit_pb2.DESCRIPTOR.message_types_by_name) - parts
    said = {re.sub(r"(?<!^)(?=[A-Z])", "-", message).lower() for message in messages}
    assert set(re.findall(r"`([a-z]+-[a-z-]+)`", out)) == said


def test_it_names_every_setting_of_its_own() -> None:
    own = set(Settings.model_fields) - set(ServiceSettings.model_fields)
    rows = set(re.findall(r"^\| `CREDIT_(\w+)`", section("Settings"), re.M))
    assert rows == {"DATABASE_URL", *(name.upper() for name in own)}


def test_it_names_every_metric_with_its_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section("Metrics"), re.M)
    told = {name: re.findall(r"`(\w+)`", labels) for name, labels in rows}
    known = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            name = family.name.removeprefix("langganan_credit_")
            known[name + "_total" if family.type == "counter" else name] = list(metric._labelnames)
    assert told == known


def test_it_names_every_plugin_that_is_built_in() -> None:
    project = tomllib.loads((CREDIT / "pyproject.toml").read_text())["project"]
    built_in = {name for group in project["entry-points"].values() for name in group}
    text = section("Plugins")
    assert set(re.findall(r"^\| `(langganan[\w.]+)`", text, re.M)) == set(project["entry-points"])
    assert set(re.findall(r"^\|.*?\|.*?\| `(\w+)` \|", text, re.M)) == built_in
