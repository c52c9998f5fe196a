"""The alerts' rules as a Prometheus without the operator, or promtool, reads them."""

from pathlib import Path

import yaml

from local.settings import ROOT

RULES = ROOT / "deploy" / "monitoring" / "rules"


def write_rules(folder: Path) -> list[Path]:
    """Write the spec of each PrometheusRule as a rule file into `folder`; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(RULES.glob("*.yaml")):
        target = folder / source.name
        target.write_text(yaml.safe_dump(yaml.safe_load(source.read_text())["spec"], sort_keys=False))
        written.append(target)
    return written
