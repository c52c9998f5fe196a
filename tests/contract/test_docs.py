"""The documents say what is true: tests that they name exist, links lead somewhere."""

import re
from pathlib import Path

from tests.system.methods import METHODS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").glob("*/README.md")]


def test_every_test_that_a_document_names_exists() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    named = {name for page in DOCUMENTS for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert len(named) >= 60
    assert not named - defined


def test_the_ten_first_invariants_have_a_test_a_query_and_an_alert_that_exist() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "deploy/monitoring/rules").glob("*.yaml"))
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    page = (ROOT / "docs/invariants.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) >= 10
    for number, (_, _, tests, queries, told) in enumerate(rows, 1):
        named = set(re.findall(r"`(\w+)`", told))
        assert not named - alerts, f"alerts of invariant {number}"
        if number <= 10:
            assert "`test_" in tests, f"a test of invariant {number}"
            assert "`" in queries, f"a query of invariant {number}"
            assert named, f"an alert of invariant {number}"


def anchors(document: Path) -> set[str]:
    """What a link may name after the # of a page: its headings, as the forge that shows it writes them."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    shown = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in shown}


def test_every_link_to_a_file_or_heading_leads_to_one() -> None:
    broken, with_anchor = [], 0
    for document in DOCUMENTS:
        for path, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", document.read_text()):
            target = document.parent / path if path else document
            if "://" in path:
                continue
            with_anchor += bool(anchor)
            known = target.exists() and (not anchor or anchor in anchors(target))
            if not known:
                broken.append(f"{document.relative_to(ROOT)} → {path}#{anchor}")
    assert not broken
    assert with_anchor >= 3


def test_every_page_for_operators_is_in_their_index() -> None:
    folder = ROOT / "docs/operations"
    linked = set(re.findall(r"\]\(([\w/-]+\.md)", (folder / "README.md").read_text()))
    pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert len(pages) >= 5
    assert not pages - linked


def test_every_decision_is_in_the_index_under_its_title() -> None:
    folder = ROOT / "docs/decisions"
    rows = re.findall(
        r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE
    )
    pages = {path.name: path.read_text().splitlines()[0] for path in folder.glob("0*.md")}
    assert {name: f"# {number} {title}" for number, name, title in rows} == pages


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z][a-z-]*)", (ROOT / "README.md").read_text()))
    assert named <= targets, named - targets


def test_every_method_that_privacy_names_exists() -> None:
    calls = set(re.findall(r"`(\w+Service\.\w+)`", (ROOT / "docs/privacy.md").read_text()))
    contract = {name.split("v1.", 1)[1].replace("/", ".") for name in METHODS}
    assert len(calls) >= 6
    assert not calls - contract


def test_every_metric_that_a_page_for_operators_names_is_measured() -> None:
    source = "".join(
        p.read_text() for p in (ROOT / "kit/kit/metrics.py", *ROOT.glob("services/*/*/metrics.py"))
    )
    measured = set(re.findall(r'"((?:langganan|grpc_server)_\w+)"', source))
    named = {
        name
        for page in (ROOT / "docs").rglob("*.md")
        for name in re.findall(r"\b((?:langganan|grpc_server)_[a-z_]*[a-z])\b", page.read_text())
    }
    assert len(named) >= 15
    assert not named - measured
