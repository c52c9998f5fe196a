"""Plugins: classes found through Python entry points, each with a name, a contract and a Config.

An installed plugin that fails to import or has the wrong contract version stops the start by name. A shop's
choice of one is its name and a configuration in JSON; what it raises later is kept to that shop.
"""

from kit.plugins.choice import configure, normal_config, read_config
from kit.plugins.guarded import Guarded, is_count
from kit.plugins.installed import BrokenPlugin, Described, Registry, described, load

__all__ = [
    "BrokenPlugin",
    "Described",
    "Guarded",
    "Registry",
    "configure",
    "described",
    "is_count",
    "load",
    "normal_config",
    "read_config",
]
