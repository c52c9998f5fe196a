"""Plugins: classes found through Python entry points, each with a name, a contract and a Config.

An installed plugin that fails to import or has the wrong contract version stops the start by name.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from kit.errors import FailedPrecondition, InvalidArgument

log = structlog.get_logger()


class BrokenPlugin(RuntimeError):
    """An installed plugin cannot be used; remove it or mend it, then start again."""


def load(group: str, contract: int) -> dict[str, type[Any]]:
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


def configure(plugins: dict[str, type[Any]], name: str, config: dict[str, Any]) -> Any:
    """Return the named plugin with its validated configuration: `plugin_class(config)`.

    Raises PLUGIN_MISSING for a name that is not installed, INVALID_PLUGIN_CONFIG with the first fault, which
    may be one that the plugin itself raises when it is made.
    """
    plugin = plugins.get(name)
    if plugin is None:
        raise FailedPrecondition(
            f"no plugin named {name!r} is installed; installed: {', '.join(sorted(plugins)) or 'none'}",
            reason="PLUGIN_MISSING",
            plugin=name,
        )
    try:
        return plugin(plugin.Config.model_validate(config))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(p) for p in first["loc"]) or "configuration"
        raise InvalidArgument(
            f"configuration of plugin {name!r}: {place}: {first['msg']}",
            reason="INVALID_PLUGIN_CONFIG",
            plugin=name,
            field=place,
        ) from error
    except Exception as error:
        log.warning("plugin_not_made", plugin=name, exc_info=error)
        raise InvalidArgument(
            f"plugin {name!r} refuses this configuration ({type(error).__name__}); see its documentation",
            reason="INVALID_PLUGIN_CONFIG",
            plugin=name,
        ) from error
