"""What every plugin must keep, whatever it decides; the services' contract suites begin with these.

A plugin that decides inside a transaction is pure and synchronous. Each check raises AssertionError with the
promise that is broken.
"""

from __future__ import annotations

from typing import Any

from kit import plugins


def check_class(plugin: type[Any], contract: int) -> None:
    """Raise unless a plugin class names itself, the contract's version and its configuration."""
    assert isinstance(getattr(plugin, "name", None), str), "a plugin has a name"
    assert plugin.name, "a plugin's name is not empty"
    assert getattr(plugin, "contract", None) == contract, f"the contract is version {contract}"
    assert plugin.__doc__, "a plugin has a docstring: ListPlugins shows its first line"
    schema = plugin.Config.model_json_schema()
    assert schema["type"] == "object", "the configuration is an object"


def twins(plugin: type[Any], config: dict[str, Any]) -> tuple[Any, Any]:
    """Two instances of one configuration: what one has seen must not change the other's answers."""
    registry = {plugin.name: plugin}
    return plugins.configure(registry, plugin.name, config), plugins.configure(registry, plugin.name, config)
