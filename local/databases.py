"""Makes the roles and databases of the services, each role with one database of its own."""

import json
import secrets
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from local.part import PartFailed

DATABASES = ("customers", "vault", "loyalty", "credit", "notify")
LEAST_POSTGRES = 17
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def passwords(file: Path) -> dict[str, str]:
    """The password of each role and of the embedded superuser, made once, readable by us alone."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({name: secrets.token_urlsafe(24) for name in ("postgres", *DATABASES)}))
    loaded: dict[str, str] = json.loads(file.read_text())
    return loaded


def database_url(superuser_url: str, name: str, password: str) -> str:
    """The address of a database for the role that owns it (both have the same name)."""
    parts = urlsplit(superuser_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{quote(password, safe='')}@{host}", path=f"/{name}"))


async def create_databases(superuser_url: str, prefix: str, secret: dict[str, str]) -> dict[str, str]:
    """Create what is missing; the address of each database for its own role."""
    try:
        connection = await asyncpg.connect(superuser_url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PartFailed(f"Postgres does not let us in at {_shown(superuser_url)}: {error}") from error
    try:
        if connection.get_server_version().major < LEAST_POSTGRES:
            raise PartFailed(f"Postgres at {_shown(superuser_url)} is older than 17.")
        for name in DATABASES:
            await _create_database(connection, prefix + name, secret[name])
    finally:
        await connection.close()
    return {name: database_url(superuser_url, prefix + name, secret[name]) for name in DATABASES}


async def _create_database(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str
) -> None:
    # Names are ours (a checked prefix and a fixed word); CREATE ROLE takes no parameters.
    literal = password.replace("'", "''")
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if known else "CREATE"
    await connection.execute(f"{verb} ROLE \"{name}\" LOGIN PASSWORD '{literal}'")
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}" OWNER "{name}"')
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}"
