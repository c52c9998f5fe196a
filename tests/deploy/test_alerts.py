"""Each alert fires when it should, is silent when it should be, and leads to a page that says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.events.topics import RETENTION_MS
from kit.metrics import SECONDS
from local.monitoring import write_rules
from local.services import SERVICES
from tests.contract.test_docs import anchors
from tests.deploy.promql import MONITORING, ROOT, rules

TESTS = MONITORING / "tests"
RULES = rules()
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package: prometheus)"
)


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_the_rules_sound(tmp_path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *write_rules(tmp_path))


@needs_promtool
@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.glob("*.yaml")))
def test_alerts_fire_when_they_should_and_are_silent_when_they_should_be(name: str, tmp_path: Path) -> None:
    for path in write_rules(tmp_path / "rules"):
        written = yaml.safe_load(path.read_text())
        for group in written["groups"]:
            for rule in group["rules"]:
                rule.pop("annotations", None)  # or each test had to say them again
        path.write_text(yaml.safe_dump(written))
    (tmp_path / "tests").mkdir()
    shutil.copy(TESTS / name, tmp_path / "tests")
    promtool("test", "rules", tmp_path / "tests" / name)


def expected() -> dict[str, list[list[dict[str, Any]]]]:
    """What promtool is told to expect of each alert: of each moment, the labels of what fires."""
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for path in TESTS.glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for moment in group["alert_rule_test"]:
                labels = [alert["exp_labels"] for alert in moment["exp_alerts"]]
                found.setdefault(moment["alertname"], []).append(labels)
    return found


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    moments = expected()
    assert moments.keys() == ALERTS.keys()
    assert len(ALERTS) >= 20
    assert [name for name, seen in moments.items() if not any(seen) or all(seen)] == []


def test_an_alert_says_who_is_called_and_in_words_that_its_labels_fill() -> None:
    moments = expected()
    for name, alert in ALERTS.items():
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        said = alert["annotations"]
        assert said["summary"], name
        assert said["description"].endswith("."), name
        fired = next(labels for seen in moments[name] for labels in seen)
        assert set(re.findall(r"\$labels\.(\w+)", str(said))) <= fired.keys(), name


def test_every_alert_leads_to_a_page_that_says_what_it_means_how_to_see_and_what_to_do() -> None:
    index = (ROOT / "docs/operations/alerts.md").read_text()
    pages, tickets = index.split("## Tickets")
    for name, alert in ALERTS.items():
        path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        page = ROOT / path
        assert page.parent == ROOT / "docs/operations/runbooks", name
        assert anchor == name.lower(), name
        assert anchor in anchors(page), name
        section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
        assert section is not None, name
        for part in ("**It means**", "**See**", "**Do**"):
            assert part in section[1], f"{name}: {part}"
        listed = pages if alert["labels"]["severity"] == "page" else tickets
        assert f"[{name}](runbooks/{page.name}#{anchor})" in listed, name
    told = {
        heading
        for page in (ROOT / "docs/operations/runbooks").glob("*.md")
        for heading in re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    }
    assert told == ALERTS.keys()


def test_numbers_that_the_code_decides_are_the_codes() -> None:
    assert f"> {RETENTION_MS // 2 // 1000}\n" in ALERTS["LagBeyondHalfRetention"]["expr"] + "\n"
    bound = {float(le) for rule in RULES for le in re.findall(r'le="([\d.]+)"', rule["expr"])}
    assert bound == {0.25}
    assert bound <= set(SECONDS)
    working = re.findall(r'"service", "(\w+)"', ALERTS["WorkMissing"]["expr"])
    assert sorted(working) == sorted(SERVICES)


def test_every_sweep_that_may_get_stuck_is_in_its_runbook() -> None:
    files = [*(ROOT / "services").rglob("*.py"), *(ROOT / "kit/kit").rglob("*.py")]
    names = set(re.findall(r'(?:Sweep|shown)\(\s*"([\w-]+)"', "".join(p.read_text() for p in files)))
    sweeps = "".join(p.read_text() for p in files if p.name == "sweep.py")
    names |= set(re.findall(r'^NAME = "([\w-]+)"', sweeps, re.MULTILINE))
    told = (ROOT / "docs/operations/runbooks/duties.md").read_text()
    assert len(names) >= 12
    assert [name for name in names if f"`{name}`" not in told] == []
