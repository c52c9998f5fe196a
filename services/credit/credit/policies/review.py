"""What `migrate` says before a roll: shops whose policy names a plugin that this build lacks."""

from __future__ import annotations

from credit.policies.codec import installed
from credit.policies.store import queries
from kit.plugins.review import absent
from kit.settings import ServiceSettings


async def absent_plugins(settings: ServiceSettings) -> list[str]:
    """Return a sentence for each plugin that is absent here and that a policy in force or to come names."""
    return await absent(settings.database_url, queries.named_plugins, installed()._asdict())
