"""Changes of rendered objects, by which policies are seen to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from local.manifests import Object
from tests.deploy.rendered import Rendered

Change: TypeAlias = Callable[[Rendered], object]
# Policy, overlay, what breaks it, what it must say.
Broken: TypeAlias = tuple[Callable[..., Iterator[str]], str, Change, str]


def serve(rendered: Rendered, service: str = "credit") -> Object:
    """The pod of a service's serve."""
    return rendered.one("Deployment", f"{service}-serve")["spec"]["template"]["spec"]


def container(rendered: Rendered, service: str = "credit") -> Object:
    """Its container."""
    return serve(rendered, service)["containers"][0]


def policy(rendered: Rendered, name: str) -> Object:
    """What a NetworkPolicy says."""
    return rendered.one("NetworkPolicy", name)["spec"]


def setting(name: str, value: str | None, owner: str = "settings") -> Change:
    """Change, or with None take away, a setting."""

    def change(rendered: Rendered) -> None:
        for found_name, data in rendered.config_maps.items():
            if found_name.rpartition("-")[0] == owner:
                if value is None:
                    del data[name]
                else:
                    data[name] = value

    return change


def drop(kind: str, name: str) -> Change:
    """Take an object away."""
    return lambda rendered: rendered.objects.remove(rendered.one(kind, name))
