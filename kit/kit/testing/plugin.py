"""The pytest plugin: databases cloned from migrated templates, signing keys, and why a call is refused.

The suite's own conftest.py gives the session fixtures `postgres_url` (a superuser's URL) and, for tests
with a broker, `kafka_bootstrap`.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit.migrate import KIT_FOLDER, folder_of, migrate
from kit.testing.keys import Keys
from kit.testing.refusals import refusal

NewDatabase = Callable[..., Awaitable[str]]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A signing key and its JWKS file."""
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def refused() -> Callable[[Awaitable[Any]], Awaitable[str]]:
    """`await refused(call)`: the reason with which a call is refused."""

    async def reason(call: Awaitable[Any]) -> str:
        return str((await refusal(call)).reason)

    return reason


def _url(postgres_url: str, database: str) -> str:
    head, _, _ = postgres_url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + database


@pytest.fixture(scope="session")
async def new_database(postgres_url: str) -> AsyncIterator[NewDatabase]:
    """`await new_database("credit")`: the URL of a fresh database of a package, migrated.

    A second argument names another folder of migrations in the package; `events=False` leaves out the
    kit's tables. The template is migrated once a session and cloned in milliseconds.
    """
    templates: dict[str, asyncio.Task[str]] = {}
    made: list[str] = []

    async def admin(sql: str) -> None:
        conn = await asyncpg.connect(postgres_url)
        try:
            await conn.execute(sql)
        finally:
            await conn.close()

    async def template(folders: list[Path], label: str) -> str:
        name = f"template_{label}_{os.getpid()}"
        await admin(f'CREATE DATABASE "{name}"')
        made.append(name)
        await migrate(_url(postgres_url, name), folders)
        return name

    async def clone(package: str | None, folder: str = "migrations", *, events: bool = True) -> str:
        folders = [KIT_FOLDER] if events else []
        if package is not None:
            folders.append(folder_of(package, folder))
        label = hashlib.sha256("|".join(map(str, folders)).encode()).hexdigest()[:12]
        if label not in templates:
            templates[label] = asyncio.create_task(template(folders, label))
        source = await templates[label]
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await admin(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        made.append(name)
        return _url(postgres_url, name)

    yield clone
    for name in reversed(made):
        await admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
