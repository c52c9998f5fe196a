"""What `migrate` says before a roll: shops whose program names a plugin that this build lacks."""

from __future__ import annotations

import asyncpg

from kit import db, plugins
from kit.settings import ServiceSettings
from loyalty.programs import plugins as earning
from loyalty.tiers import plugins as tiers

_queries = db.load(__file__)


async def absent_plugins(settings: ServiceSettings) -> list[str]:
    """Return a sentence for each plugin that is absent here and that a program in force or to come names."""
    installed = {
        "earning": set(plugins.load(earning.GROUP, earning.CONTRACT)),
        "tier": set(plugins.load(tiers.GROUP, tiers.CONTRACT)),
    }
    conn = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        rows = [row async for row in _queries.named_plugins(conn)]
    finally:
        await conn.close()
    return [
        f"{row['merchants']} merchant(s), such as {row['example']}, use the {row['kind']} plugin "
        f"{row['plugin']!r}, which is not installed here; install it before this build is rolled out"
        for row in rows
        if row["plugin"] not in installed[row["kind"]]
    ]
