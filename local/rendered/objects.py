"""Reads rendered objects as the kubelet does: command, environment, volumes and probes of a pod."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.brought import Brought
from local.manifests import Object
from local.settings import ROOT

DOCKERFILES = ("Dockerfile", "Dockerfile.parts")


class NotStartable(Exception):
    """The kubelet would say CreateContainerConfigError; the message is why."""


@dataclass(frozen=True)
class Probe:
    """A probe with the numbers that Kubernetes gives it where the object is silent; seconds."""

    kind: str  # grpc, httpGet, tcpSocket
    port: int
    path: str
    delay: int
    period: int
    timeout: int
    failures: int
    successes: int


@dataclass(frozen=True)
class Volume:
    """What is mounted where. `files`: relative path → text; none of them: an empty folder, or a claim."""

    name: str
    path: str
    read_only: bool
    files: Mapping[str, str] | None = None
    claim: str = ""


@dataclass(frozen=True)
class Spec:
    """One pod of one container, ready to be started."""

    labels: Mapping[str, str]
    argv: list[str]
    env: dict[str, str]
    volumes: list[Volume]
    user: int
    group: int
    groups: list[int]
    read_only_root: bool
    probes: dict[str, Probe]
    stop_sleep: int
    grace: int
    ports: dict[str, int] = field(default_factory=dict)


def entrypoints() -> dict[str, list[str]]:
    """Image (without tag) → its ENTRYPOINT, from the Dockerfiles."""
    files = [(ROOT / "deploy/images" / name).read_text() for name in DOCKERFILES]
    services = re.findall(r"^FROM \w+ AS (\w+)\nENTRYPOINT (\[.*\])$", files[0], re.MULTILINE)
    (parts,) = re.findall(r"^ENTRYPOINT (\[.*\])$", files[1], re.MULTILINE)
    return {f"langganan/{name}": json.loads(argv) for name, argv in [*services, ("parts", parts)]}


class Objects:
    """The rendered objects, with what was brought besides."""

    def __init__(
        self, rendered: list[Object], brought: Brought, token: Callable[[str, str, int], str]
    ) -> None:
        """Take `token`: (service account, audience, seconds) → a token of the cluster."""
        self._objects = {(one["kind"], one["metadata"]["name"]): one for one in rendered}
        self._brought, self._token = brought, token
        self._entrypoints = entrypoints()

    def __getitem__(self, key: tuple[str, str]) -> Object:
        return self._objects[key]

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return sorted(name for found, name in self._objects if found == kind)

    def replicas(self, kind: str, name: str) -> int:
        """How many pods there are at first: as its autoscaler says at least, where it has one."""
        scaler = self._objects.get(("HorizontalPodAutoscaler", name))
        found: int = (
            scaler["spec"].get("minReplicas", 1) if scaler else self[kind, name]["spec"].get("replicas", 1)
        )
        return found

    def pod(self, template: Object) -> Spec:
        """Resolve a pod template; raise NotStartable where something that it names is not there."""
        spec = template["spec"]
        (container,) = spec["containers"]
        image = container["image"].partition(":")[0]
        rights = spec.get("securityContext", {}) | container.get("securityContext", {})
        ports = {one["name"]: one["containerPort"] for one in container.get("ports", [])}
        command = container.get("command") or self._entrypoints[image]
        named = (("startup", "startupProbe"), ("readiness", "readinessProbe"), ("liveness", "livenessProbe"))
        probes = {word: _probe(container[key], ports) for word, key in named if key in container}
        stop = container.get("lifecycle", {}).get("preStop", {})
        if stop.keys() - {"sleep"}:
            raise NotStartable(f"preStop {stop} is not known here")
        return Spec(
            labels=template["metadata"]["labels"],
            argv=[*command, *container.get("args", [])],
            env=dict(self._environment(container)),
            volumes=list(self._volumes(spec, container)),
            user=rights["runAsUser"],
            group=rights["runAsGroup"],
            groups=[rights["fsGroup"]] if "fsGroup" in rights else [],
            read_only_root=rights["readOnlyRootFilesystem"],
            probes=probes,
            stop_sleep=stop.get("sleep", {}).get("seconds", 0),
            grace=spec.get("terminationGracePeriodSeconds", 30),
            ports=ports,
        )

    def _environment(self, container: Object) -> Iterator[tuple[str, str]]:
        for source in container.get("envFrom", []):
            reference = source.get("configMapRef") or source["secretRef"]
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            for key, text in self._data(kind, reference).items():
                yield source.get("prefix", "") + key, text
        for one in container.get("env", []):
            if "value" in one:
                yield one["name"], one["value"]
                continue
            (how, reference), *_ = one["valueFrom"].items()
            kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
            if how not in kinds:
                raise NotStartable(f"{one['name']} comes from {how}, which is not known here")
            data = self._data(kinds[how], reference)
            if reference["key"] in data:
                yield one["name"], data[reference["key"]]
            elif not reference.get("optional"):
                raise NotStartable(
                    f"couldn't find key {reference['key']} in {kinds[how]} {reference['name']}"
                )

    def _data(self, kind: str, reference: Mapping[str, Any]) -> Mapping[str, str]:
        name = reference["name"]
        found = self._brought.get((kind, name))
        if found is None and (kind, name) in self._objects:
            found = self._objects[kind, name].get("data", {})
        if found is None:
            if reference.get("optional"):
                return {}
            raise NotStartable(f'{kind.lower()} "{name}" not found')
        return found

    def _volumes(self, spec: Object, container: Object) -> Iterator[Volume]:
        volumes = {one["name"]: one for one in spec.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            place = (mount["name"], mount["mountPath"], mount.get("readOnly", False))
            if "emptyDir" in volume:
                yield Volume(*place)
            elif "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                yield Volume(*place, claim=f"{claim}/{mount.get('subPath', '')}")
            elif "projected" in volume:
                sources = volume["projected"]["sources"]
                account = spec.get("serviceAccountName", "default")
                yield Volume(*place, files=dict(self._projected(sources, account)))
            else:
                raise NotStartable(f"volume {volume} is not known here")

    def _projected(self, sources: list[Object], account: str) -> Iterator[tuple[str, str]]:
        for source in sources:
            ((how, reference),) = source.items()
            if how == "serviceAccountToken":
                seconds = reference.get("expirationSeconds", 3600)
                yield reference["path"], self._token(account, reference["audience"], seconds)
                continue
            data = self._data("Secret" if how == "secret" else "ConfigMap", reference)
            for item in reference["items"] if data else ():
                if item["key"] not in data:
                    raise NotStartable(f"{how} {reference['name']} has no key {item['key']}")
                yield item["path"], data[item["key"]]


def _probe(probe: Object, ports: Mapping[str, int]) -> Probe:
    (kind,) = probe.keys() & {"grpc", "httpGet", "tcpSocket"}
    port = probe[kind]["port"]
    return Probe(
        kind=kind,
        port=port if isinstance(port, int) else ports[port],
        path=probe[kind].get("path", "/"),
        delay=probe.get("initialDelaySeconds", 0),
        period=probe.get("periodSeconds", 10),
        timeout=probe.get("timeoutSeconds", 1),
        failures=probe.get("failureThreshold", 3),
        successes=probe.get("successThreshold", 1),
    )
