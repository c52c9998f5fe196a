"""docs/operations/citus.md says of every table whether it could be spread by customer; schema.sql decides."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations/citus.md").read_text()
SCHEMAS = {
    **{s: ROOT / f"services/{s}/{s}/schema.sql" for s in ("customers", "loyalty", "credit", "notify")},
    "vault": ROOT / "services/customers/customers/vault/schema.sql",
}
COLUMN = "customer_id"


@dataclass
class Table:
    """A table as schema.sql has it: its columns, and the columns of each of its unique keys."""

    columns: set[str]
    keys: list[set[str]] = field(default_factory=list)

    @property
    def spreads(self) -> bool:
        """Whether Citus would take it as it is: the column is there, and in every unique key."""
        return COLUMN in self.columns and all(COLUMN in key for key in self.keys)


def columns_of(text: str) -> set[str]:
    return {name.strip().strip('"') for name in text.split(",")}


def tables() -> Iterator[tuple[str, Table]]:
    for database, path in SCHEMAS.items():
        text = path.read_text()
        found = {
            name: Table(set(re.findall(r'^    "?(\w+)"? ', body, re.MULTILINE)) - {"CONSTRAINT"})
            for name, body in re.findall(r"^CREATE TABLE public\.(\w+) \((.*?)^\)", text, re.M | re.S)
        }
        unique = [
            r"ALTER TABLE ONLY public\.(\w+)\s+ADD CONSTRAINT \w+ (?:PRIMARY KEY|UNIQUE) \(([^)]*)\)",
            r"CREATE UNIQUE INDEX \w+ ON public\.(\w+) USING btree \(([^)]*)\)",
        ]
        for pattern in unique:
            for name, columns in re.findall(pattern, text):
                found[name].keys.append(columns_of(columns))
        assert "FOREIGN KEY" not in text, f"{database}: say in the page where its foreign keys lead"
        yield from ((f"{database}.{name}", table) for name, table in found.items())


def named(heading: str) -> list[str]:
    """The tables that a section of the page names, as `database.table`, in its first column or list."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, heading
    return re.findall(r"`((?:customers|vault|loyalty|credit|notify)\.\w+)`", section.group(1))


def test_the_page_names_every_table_once() -> None:
    known = sorted(name for name, _ in tables())
    assert len(known) > 50
    headings = ("Spread as they are", "Another key first", "The same on every node", "Not by customer")
    assert sorted(name for heading in headings for name in named(heading)) == known


def test_what_the_page_spreads_as_it_is_has_the_customer_in_every_unique_key() -> None:
    ready = {name for name, table in tables() if table.spreads}
    assert set(named("Spread as they are")) == ready


def test_a_table_that_knows_the_customer_and_cannot_be_spread_is_a_named_exception() -> None:
    other = {name for name, table in tables() if COLUMN in table.columns and not table.spreads}
    assert other
    assert other <= set(named("Another key first"))
