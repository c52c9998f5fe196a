"""What `migrate` says before a roll: shops whose program names a plugin that this build lacks."""

from __future__ import annotations

from kit import db, plugins
from kit.plugins.review import absent
from kit.settings import ServiceSettings
from loyalty.programs import plugins as earning
from loyalty.tiers import plugins as tiers

_queries = db.load(__file__)


async def absent_plugins(settings: ServiceSettings) -> list[str]:
    """Return a sentence for each plugin that is absent here and that a program in force or to come names."""
    installed = {
        "earning": plugins.load(earning.GROUP, earning.CONTRACT),
        "tier": plugins.load(tiers.GROUP, tiers.CONTRACT),
    }
    return await absent(settings.database_url, _queries.named_plugins, installed)
