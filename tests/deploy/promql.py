"""What a PromQL expression names: metrics, the labels that it matches, and those that it groups by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"

_WORDS = {"and", "or", "unless", "offset", "bool"}
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\s*\(|[\w:])")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Matcher:
    """One condition of a selector."""

    label: str
    sign: str
    value: str


@dataclass(frozen=True)
class Named:
    """What one expression names; `selectors` are (metric, its conditions)."""

    selectors: tuple[tuple[str, tuple[Matcher, ...]], ...]
    groups: frozenset[str]

    @property
    def metrics(self) -> set[str]:
        """The metrics, with the suffixes of their series."""
        return {metric for metric, _ in self.selectors}


def named(expression: str) -> Named:
    """Take an expression apart. Its syntax is promtool's to judge; here it is known to be sound."""
    groups = {one.strip() for names in _GROUPING.findall(expression) for one in names.split(",")}
    rest = _GROUPING.sub(" ", expression)
    rest = re.sub(r"\[[^\]]*\]", "", rest)
    rest = re.sub(r"\boffset\s+\w+", "", rest)
    # The texts that functions take, such as label_replace's: outside of braces.
    rest = "".join(
        part if part.startswith("{") else re.sub(r'"[^"]*"', "", part)
        for part in re.split(r"(\{[^}]*\})", rest)
    )
    selectors = [
        (name, tuple(Matcher(*found) for found in _MATCHER.findall(conditions)))
        for name, conditions in _SELECTOR.findall(rest)
        if name not in _WORDS
    ]
    return Named(tuple(selectors), frozenset(groups - {""}))


def rules() -> list[dict[str, Any]]:
    """All rules, in the order of their files."""
    return [
        rule
        for path in sorted((MONITORING / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text())["spec"]["groups"]
        for rule in group["rules"]
    ]


def dashboards() -> dict[str, dict[str, Any]]:
    """All dashboards by the name of their file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(MONITORING.glob("dashboards/*.json"))}


def panels() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], str]]:
    """Each query of each panel: where, panel, target, and the expression with its interval filled in."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                where = f"{name}, {panel['title']}, {target['refId']}"
                yield where, panel, target, target["expr"].replace("$__rate_interval", "30s")
