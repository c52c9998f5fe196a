"""What an overlay renders to, asked in the words of the policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.manifests import Object, title
from local.services import SERVICES

NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
FILES = "/etc/langganan"


@dataclass(frozen=True)
class Workload:
    """Anything that makes pods: its object, and the template of its pods."""

    object: Object
    template: Object

    @property
    def title(self) -> str:
        return title(self.object)

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.template["metadata"].get("labels", {}))

    @property
    def spec(self) -> Object:
        return dict(self.template["spec"])

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def service(self) -> str:
        """The service that it is of; empty: a part."""
        name = self.labels.get(NAME, "")
        return name if name in SERVICES else ""

    @property
    def stays(self) -> bool:
        """Whether its pods are there to stay, rather than to end."""
        return self.kind in ("Deployment", "StatefulSet", "DaemonSet")


class Rendered:
    """The objects of an overlay."""

    def __init__(self, overlay: str, objects: list[Object]) -> None:
        self.overlay, self.objects = overlay, objects

    def of(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The object of a name; an assertion that it is there once."""
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    @property
    def workloads(self) -> list[Workload]:
        """All that makes pods."""
        return list(self._workloads())

    def _workloads(self) -> Iterator[Workload]:
        for one in self.objects:
            spec = one.get("spec", {})
            if one["kind"] == "CronJob":
                yield Workload(one, spec["jobTemplate"]["spec"]["template"])
            elif "template" in spec and "containers" in spec["template"].get("spec", {}):
                yield Workload(one, spec["template"])

    @cached_property
    def config_maps(self) -> dict[str, dict[str, str]]:
        """ConfigMap → its data."""
        return {one["metadata"]["name"]: one.get("data") or {} for one in self.of("ConfigMap")}

    def environment(self, container: Object) -> dict[str, str]:
        """What a container is told; a value that is in a Secret is `secret:NAME/KEY`."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            data = self.config_maps.get(source["configMapRef"]["name"], {})
            found |= {source.get("prefix", "") + key: value for key, value in data.items()}
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            found[variable["name"]] = (
                f"secret:{reference['name']}/{reference['key']}" if reference else str(variable["value"])
            )
        return found

    def files(self, workload: Workload) -> dict[str, str]:
        """Path in the pod's folder of files → where it comes from: KIND NAME/KEY, or `token AUDIENCE`."""
        found: dict[str, str] = {}
        for volume in workload.spec.get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                for kind, body in source.items():
                    if kind == "serviceAccountToken":
                        found[f"{FILES}/{body['path']}"] = f"token {body['audience']}"
                    for item in body.get("items", []):
                        found[f"{FILES}/{item['path']}"] = f"{kind} {body['name']}/{item['key']}"
        return found


def matches(selector: Object | None, labels: dict[str, str]) -> bool:
    """Whether a label selector finds these labels; an empty one finds all, none finds nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(rule, labels) for rule in selector.get("matchExpressions", []))


def _holds(rule: Any, labels: dict[str, str]) -> bool:
    value = labels.get(rule["key"])
    match rule["operator"]:
        case "In":
            return value in rule["values"]
        case "NotIn":
            return value not in rule["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"unknown operator {rule['operator']}")


def all_strings(value: object) -> Iterator[str]:
    """Every string in a value, also within JSON."""
    if isinstance(value, dict):
        for part in value.values():
            yield from all_strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from all_strings(part)
    elif isinstance(value, str):
        if value[:1] in "[{":
            yield from all_strings(json.loads(value))
        else:
            yield value
