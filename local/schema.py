"""Writes each schema.sql: the dump of where the migrations beside it lead (`make schema`)."""

import asyncio
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from kit.migrate import KIT_FOLDER, migrate
from local.part import PartFailed, free_port
from local.postgres import Postgres, binaries
from local.settings import ROOT

# What differs from run to run or from build to build of pg_dump, and what every session sets.
NOISE = re.compile(r"^(--.*|\\(un)?restrict .*|SET .*|SELECT pg_catalog\.set_config.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Schema:
    """A folder of migrations, and the dump beside it."""

    name: str
    folders: tuple[Path, ...]
    dump: Path


def schemas(root: Path = ROOT) -> Iterator[Schema]:
    """Every database of the house; those of a service itself begin with the kit's tables."""
    for folder in sorted((root / "services").glob("*/*/**/migrations")):
        own = folder.parent
        top = own.parent.parent == root / "services"
        folders = (KIT_FOLDER, folder) if top else (folder,)
        yield Schema(own.name, folders, own / "schema.sql")


def dump(url: str) -> str:
    """The tables, indexes and constraints of a database, as SQL that makes them again."""
    command = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges"]
    done = subprocess.run(
        [*command, "--exclude-table=schema_migrations", url], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PartFailed(f"pg_dump failed: {done.stderr.strip()}")
    return re.sub(r"\n{3,}", "\n\n", NOISE.sub("", done.stdout)).strip() + "\n"


async def migrated(superuser_url: str, schema: Schema) -> str:
    """Make an empty database, migrate it, and return its address."""
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f'CREATE DATABASE "schema_{schema.name}"')
    finally:
        await connection.close()
    url = superuser_url.replace("/postgres?", f"/schema_{schema.name}?")
    await migrate(url, schema.folders)
    return url


def write_all() -> None:
    """Write every schema.sql from a fresh Postgres."""
    with tempfile.TemporaryDirectory(prefix="langganan-schema-") as home:
        server = Postgres(Path(home) / "data", free_port(), Path(home) / "log", fsync=False)
        server.prepare()
        server.start()
        try:
            server.wait_ready()
            for schema in schemas():
                schema.dump.write_text(dump(asyncio.run(migrated(server.url(), schema))))
                print(schema.dump.relative_to(ROOT))
        finally:
            server.stop()
