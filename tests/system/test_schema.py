"""Each schema.sql is the present truth: it makes the same database as the migrations beside it."""

import asyncio
import subprocess

import asyncpg
import pytest

from local.postgres import Postgres, binaries
from local.schema import Schema, dump, migrated, schemas


@pytest.mark.parametrize("schema", list(schemas()), ids=lambda schema: schema.name)
async def test_schema_and_migrations_make_the_same_database(
    schema: Schema, postgres_server: Postgres
) -> None:
    url = await migrated(postgres_server.url(), schema)
    try:
        led_to = dump(url)
    finally:
        await recreate(postgres_server, schema, exists=True)
    assert schema.dump.read_text() == led_to, "run make schema and commit what it writes"
    try:
        command = [str(binaries() / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-f", str(schema.dump), url]
        await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)
        assert dump(url) == led_to
    finally:
        await recreate(postgres_server, schema, exists=False)


async def recreate(server: Postgres, schema: Schema, *, exists: bool) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(f'DROP DATABASE "schema_{schema.name}"')
        if exists:
            await connection.execute(f'CREATE DATABASE "schema_{schema.name}"')
    finally:
        await connection.close()
