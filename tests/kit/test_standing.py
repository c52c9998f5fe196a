"""Expand, then contract: which builds a database lets run, and what the others say while they wait."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kit.migrate import KIT_FOLDER, MigrationFailed, migrate, newest
from kit.standing import Standing, floor_of, skew, standing
from kit.testing import eventually
from tests.kit.tiny import Tiny

KNOWN = newest([KIT_FOLDER])
EXPANDED, CONTRACTED = "20300101000000", "20300102000000"


@pytest.mark.parametrize(
    ("version", "floor", "known", "says"),
    [
        ("20260101000000", "", "20260101000000", ""),
        ("20260201000000", "", "20260101000000", ""),  # expanded: what is newer adds only
        ("20260201000000", "20260101000000", "20260101000000", ""),
        ("", "", "20260101000000", "needs schema 20260101000000, found none"),
        ("20251201000000", "", "20260101000000", "needs schema 20260101000000, found 20251201000000"),
        (
            "20260201000000",
            "20260115000000",
            "20260101000000",
            "takes builds from schema 20260115000000, this one knows 20260101000000",
        ),
    ],
)
def test_a_build_runs_within_the_range_and_says_both_numbers_outside(
    version: str, floor: str, known: str, says: str
) -> None:
    trouble = Standing(version, floor).trouble(known)
    assert trouble.startswith(says)
    assert bool(trouble) == bool(says)


def test_a_comment_of_somebody_elses_bars_nobody() -> None:
    assert floor_of(None) == floor_of("kept by dbmate") == ""
    assert floor_of(f"builds from {EXPANDED}") == EXPANDED


@pytest.mark.parametrize(
    ("before", "database", "after", "ahead"),
    [(10.0, 10.5, 11.0, 0.0), (10.0, 7.0, 11.0, 3.0), (10.0, 15.0, 11.0, -4.0), (10.0, 10.0, 10.0, 0.0)],
)
def test_clocks_differ_by_what_a_slow_answer_cannot_explain(
    before: float, database: float, after: float, ahead: float
) -> None:
    assert skew(before, database, after) == ahead


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of the next build, which uses something new from now on."""
    folder = tmp_path / "newer"
    folder.mkdir()
    expand = "-- migrate:up\ncreate table new_way (a int);\n-- migrate:down\ndrop table new_way;\n"
    (folder / f"{EXPANDED}_expand.sql").write_text(expand)
    return folder


@pytest.fixture
def last(tmp_path: Path, newer: Path) -> Path:
    """Those of the build after it, which takes the old way out."""
    folder = shutil.copytree(newer, tmp_path / "last")
    contract = (
        f"-- migrate:up\ncomment on table schema_migrations is 'builds from {EXPANDED}';\n-- migrate:down\n"
    )
    (folder / f"{CONTRACTED}_contract.sql").write_text(contract)
    return folder


async def test_an_old_build_serves_beside_an_expanded_schema_and_waits_on_a_contracted_one(
    idle_tiny: Tiny, bare_database: str, newer: Path, last: Path
) -> None:
    await migrate(bare_database, [KIT_FOLDER, newer])
    await idle_tiny.start("serve")
    await idle_tiny.becomes("/ready", 200)
    code, said = await idle_tiny.command("migrate")
    assert code == 0, said
    assert (await standing(bare_database)).version == EXPANDED, "migrate of an old build takes nothing back"

    await migrate(bare_database, [KIT_FOLDER, last])
    assert await asyncio.wait_for(idle_tiny.process.wait(), 15) == 1
    (line,) = idle_tiny.said("schema_outgrew_build")
    assert (line["floor"], line["known"]) == (EXPANDED, KNOWN)

    await idle_tiny.start("serve")  # as Kubernetes does
    why = f"database_url takes builds from schema {EXPANDED}, this one knows {KNOWN}"
    await eventually(lambda: why in str(idle_tiny.ask("/ready")[1]), within=20)
    assert idle_tiny.said("waiting_for_schema")[-1]["why"].startswith(why)
    await idle_tiny.tells("NOT_SERVING")
    assert (await idle_tiny.command("migrate"))[0] == 0
    await idle_tiny.end()

    await idle_tiny.start("serve", TINY_MIGRATIONS=str(newer))
    await idle_tiny.becomes("/ready", 200)


async def test_a_migration_that_fails_says_so_in_a_sentence_and_changes_nothing(
    idle_tiny: Tiny, bare_database: str, newer: Path
) -> None:
    (newer / "20300101000001_wrong.sql").write_text(
        "-- migrate:up\ncreate table half (a int);\nalter table nowhere add a int;\n-- migrate:down\n"
    )
    code, said = await idle_tiny.command("migrate", TINY_MIGRATIONS=str(newer))
    assert code == 1
    assert "the migration failed" in said
    assert "nowhere" in said
    assert "Traceback" not in said
    assert (await standing(bare_database)).version == EXPANDED
    code, said = await idle_tiny.command("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (code, "the migration failed" in said, "Traceback" in said) == (1, True, False), said


async def test_a_floor_that_is_misspelt_fails_the_migration(
    new_database: Callable[..., Awaitable[str]], newer: Path
) -> None:
    (newer / f"{CONTRACTED}_contract.sql").write_text(
        "-- migrate:up\ncomment on table schema_migrations is 'builds since 2030';\n-- migrate:down\n"
    )
    with pytest.raises(MigrationFailed, match="builds since 2030"):
        await migrate(await new_database(None), [KIT_FOLDER, newer])
