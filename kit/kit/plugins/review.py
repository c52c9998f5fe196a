"""What `migrate` says before a roll: plugins that shops use and that this build lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import asyncpg

from kit.plugins.installed import Registry


async def absent(
    database_url: str,
    named: Callable[[asyncpg.Connection[Any]], AsyncIterator[Any]],
    installed: Mapping[str, Registry],
) -> list[str]:
    """Return a sentence for each plugin that shops use, by `named`, and that is not `installed`, by kind.

    `named` gives a row a plugin: its kind and name, how many merchants use it, one of them as an example.
    """
    conn = await asyncpg.connect(database_url, timeout=5)
    try:
        rows = [row async for row in named(conn)]
    finally:
        await conn.close()
    return [
        f"{row['merchants']} merchant(s), such as {row['example']}, use the {row['kind']} plugin "
        f"{row['plugin']!r}, which is not installed here; install it before this build is rolled out"
        for row in rows
        if row["plugin"] not in installed[row["kind"]]
    ]
