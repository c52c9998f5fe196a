"""The arithmetic of docs/operations/capacity.md comes to what the page says, from measured figures."""

import contextlib
import io
import re
from pathlib import Path

from kit.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations/capacity.md").read_text()


def computed() -> tuple[dict[str, object], list[list[str]]]:
    """Run the page's block; its names, and what it prints: a row a size."""
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block, names)  # noqa: S102  a page of this repository
    return names, [line.split(" | ") for line in printed.getvalue().splitlines()]


def test_the_table_is_what_the_block_prints() -> None:
    _, sizes = computed()
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    heading, *figures = rows
    assert [f"{one[0]} tills" for one in sizes] == heading
    assert len(figures) == len(sizes[0]) - 1
    shown = [[figure[n + 1] for figure in figures] for n in range(len(sizes))]
    assert shown == [one[1:] for one in sizes]


def test_what_it_reckons_with_is_what_was_measured_and_what_is_set() -> None:
    names, _ = computed()
    measured = (ROOT / "docs/performance.md").read_text()
    said = re.search(r"CPU, ms a basket, stops included \| [\d.]+: (.+) \|", measured)
    assert said
    figures = {name: float(ms) for name, ms in re.findall(r"(\w+) ([\d.]+)", said.group(1))}
    assert names["CPU_MS"] == {name: figures[name] for name in names["CPU_MS"]}  # type: ignore[attr-defined]
    assert names["POOL"] == ServiceSettings.model_fields["pool_max"].default
