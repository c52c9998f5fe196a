"""What a run found: the headlines with their goals, and everything beside them, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure that stands at the top. `least`, `most`: its goal; neither: it is only reported."""

    name: str
    says: str
    least: float | None = None
    most: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.least is not None:
            return f"≥ {self.least:g}"
        return "" if self.most is None else f"≤ {self.most:g}"

    def holds(self, value: float) -> bool:
        """Whether the goal holds."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


HEADLINES = (
    Headline("ratio_t64_c", "Authorize, 64 in flight, of the limit C = 1/(1/G + 1/B)", least=0.55),
    Headline("ratio_hot_spread", "the same on one account, of that on 1,000", least=0.9),
    Headline("wal_syncs_per_call", "syncs of the log a call, 64 in flight", most=0.1),
    Headline("p99_half_load_ms", "p99 at half of the highest throughput, ms", most=25),
    Headline("ratio_1m_1k", "1,000,000 accounts, of 1,000", least=0.9),
    Headline("ratio_stream_limit", "streams, of 1/(1/G_stream + 1/B)", least=0.5),
    Headline("consumer_per_s", "purchases posted a second", least=3_000),
    Headline("consumer_p99_lag_ms", "p99 from a sale to its posting, at half of that, ms"),
    Headline("relay_per_s", "events relayed a second, with nothing else to do"),
    Headline("ratio_fairness_p99", "a quiet merchant's p99 beside a noisy one's, of that alone", most=3),
    Headline("ratio_t64_unbatched", "Authorize, 64 in flight, of that with batches of one"),
    Headline("ratio_t1_latency_unbatched", "p50 of one call at a time, of that with batches of one"),
    Headline("ratio_stream_unary", "streams, of unary calls"),
)


def as_json(figures: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """The report: every headline, null where nothing measured it, and the figures of each measure."""
    found = {name: value for measure in figures.values() for name, value in measure.items()}
    return {
        **{each.name: found.get(each.name) for each in HEADLINES},
        "about": dict(about),
        "raw": dict(figures),
    }


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the headlines, then the phases of each measure."""
    table = Table("", "goal", "measured", "", title="make bench")
    for each in HEADLINES:
        value = report[each.name]
        held = (
            ""
            if value is None or not each.goal
            else ("[green]holds[/]" if each.holds(value) else "[red]missed[/]")
        )
        shown = "not measured" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
        table.add_row(each.says, each.goal, f"{shown} {held}".strip())
    console.print(table)
    for name, figures in report["raw"].items():
        _show_phases(name, figures, console)


def _show_phases(name: str, figures: Mapping[str, Any], console: Console) -> None:
    """A row for each phase of a measure, a column for each figure that a phase has."""
    phases = {phase: found for phase, found in figures.items() if isinstance(found, Mapping)}
    single = {figure: value for figure, value in figures.items() if not isinstance(value, Mapping)}
    columns = list(dict.fromkeys(column for found in phases.values() for column in found))
    if phases:
        table = Table("phase", *columns, title=name)
        for phase, found in phases.items():
            table.add_row(phase, *(f"{found[c]:,}" if c in found else "" for c in columns))
        console.print(table)
    for figure, value in single.items():
        console.print(f"{name}: {figure} = {value}", highlight=False)
