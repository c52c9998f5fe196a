"""Which plugins are installed: entry points, loaded and looked at when a process starts."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from pydantic import BaseModel

Registry = Mapping[str, type[Any]]
"""Plugin classes by name."""


class BrokenPlugin(RuntimeError):
    """An installed plugin cannot be used; remove it or mend it, then start again."""


def load(group: str, contract: int) -> Registry:
    """Return the plugin classes of an entry-point group by name; raise BrokenPlugin by name."""
    found: dict[str, type[Any]] = {}
    for point in entry_points(group=group):
        where = f"plugin {point.name!r} of {group} ({point.value})"
        try:
            plugin = point.load()
        except Exception as error:
            raise BrokenPlugin(f"{where} does not import: {type(error).__name__}: {error}") from error
        if getattr(plugin, "contract", None) != contract:
            raise BrokenPlugin(f"{where} has contract {getattr(plugin, 'contract', None)}, not {contract}")
        config = getattr(plugin, "Config", None)
        if not (isinstance(config, type) and issubclass(config, BaseModel)):
            raise BrokenPlugin(f"{where} has no pydantic model named Config")
        if point.name in found and found[point.name] is not plugin:
            raise BrokenPlugin(f"{where}: the name is taken by another distribution")
        found[point.name] = plugin
    return found


class Described(NamedTuple):
    """A plugin as ListPlugins shows it: what it does in one sentence, its configuration as a JSON schema."""

    name: str
    description: str
    config_schema_json: str


def described(plugins: Registry) -> list[Described]:
    """Return what is installed, by name."""
    return [
        Described(
            name=name,
            description=(inspect.getdoc(plugin) or "").split("\n")[0],
            config_schema_json=json.dumps(plugin.Config.model_json_schema()),
        )
        for name, plugin in sorted(plugins.items())
    ]
