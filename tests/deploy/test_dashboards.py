"""The dashboards are what Grafana takes, show all that is measured, and ask in sound PromQL."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from local.services import SERVICES
from tests.contract.test_metrics import names_in
from tests.deploy.promql import MONITORING, dashboards, named, panels, rules

SERIES = ("_total", "_bucket", "_count", "_sum", "")


def test_an_expression_is_taken_apart() -> None:
    found = named(
        'label_replace(vector(1), "service", "credit", "", "") unless on (service)'
        ' sum by (le, role) (rate(a_bucket{b="c", d!~"e|f"}[5m])) > 14.4 * 0.001 or g:h offset 6h'
    )
    assert found.metrics == {"a_bucket", "g:h"}
    assert found.groups == {"service", "le", "role"}
    assert [(m.label, m.sign, m.value) for m in found.selectors[0][1]] == [
        ("b", "=", "c"),
        ("d", "!~", "e|f"),
    ]


def test_there_is_one_for_the_whole_and_one_for_each_service() -> None:
    found = dashboards()
    assert found.keys() == {"overview", *SERVICES}
    assert {name: one["uid"] for name, one in found.items()} == {n: f"langganan-{n}" for n in found}
    for one in found.values():
        assert one["schemaVersion"] >= 36
        assert [(v["name"], v["type"]) for v in one["templating"]["list"]] == [("datasource", "datasource")]


def test_panels_are_lines_that_grafana_takes_and_that_do_not_overlap() -> None:
    for name, dashboard in dashboards().items():
        text = (MONITORING / "dashboards" / f"{name}.json").read_text()
        lines = re.findall(r"^  \{.*\}(?=,?$)", text, re.MULTILINE)
        assert [json.loads(line) for line in lines] == dashboard["panels"], f"{name}: a panel is a line"
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids))
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            assert panel["type"] in ("row", "timeseries", "stat")
            if panel["type"] == "row":
                continue
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        for one, other in itertools.combinations((p["gridPos"] for p in dashboard["panels"]), 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], name


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package: prometheus)"
)
def test_every_panel_asks_in_sound_promql(tmp_path: Path) -> None:
    asked = [{"record": f"panel:{n}", "expr": expr} for n, (_, _, _, expr) in enumerate(panels())]
    assert len(asked) > 100
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_legend_names_only_what_its_query_groups_by() -> None:
    recorded = {"service"}  # recording rules keep the service
    for where, _, target, expr in panels():
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert legend <= named(expr).groups | recorded, where


def test_all_that_is_measured_is_shown_or_alerted_on() -> None:
    expressions = [expr for _, _, _, expr in panels()] + [rule["expr"] for rule in rules()]
    used = {metric for expression in expressions for metric in named(expression).metrics}
    measured = {
        n for module in ("kit.metrics", *(f"{s}.metrics" for s in SERVICES)) for n in names_in(module)
    }
    assert len(measured) > 60
    assert sorted(name for name in measured if not any(name + ending in used for ending in SERIES)) == []


def test_the_kustomization_names_every_file() -> None:
    made = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())
    (generated,) = made["configMapGenerator"]
    assert generated["files"] == [f"dashboards/{name}.json" for name in sorted(dashboards())]
    assert made["resources"] == [f"rules/{path.name}" for path in sorted((MONITORING / "rules").glob("*"))]
