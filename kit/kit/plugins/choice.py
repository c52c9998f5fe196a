"""A shop's choice of a plugin: its name, and a configuration as a JSON object."""

from __future__ import annotations

import json
from typing import Any

import structlog
from pydantic import ValidationError

from kit.errors import FailedPrecondition, InvalidArgument
from kit.plugins.installed import Registry

log = structlog.get_logger()


def read_config(plugin: str, config_json: str) -> dict[str, Any]:
    """Return a configuration, an empty one of nothing; raise INVALID_PLUGIN_CONFIG for what is no object."""
    try:
        config = json.loads(config_json or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise InvalidArgument(
            f"config_json of plugin {plugin!r} must be a JSON object",
            reason="INVALID_PLUGIN_CONFIG",
            plugin=plugin,
        )
    return config


def normal_config(plugin: str, config_json: str) -> str:
    """Return a configuration in one spelling of JSON, so that two that mean the same are the same."""
    return json.dumps(read_config(plugin, config_json), sort_keys=True, separators=(",", ":"))


def configure(plugins: Registry, name: str, config: dict[str, Any]) -> Any:
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
