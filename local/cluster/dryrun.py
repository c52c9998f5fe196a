"""`LEVEL=apiserver`: the API server admits every overlay, in a namespace that enforces `restricted`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from local.cluster.failed import Failed
from local.cluster.kubectl import Kubectl, Object
from local.settings import ROOT

OVERLAYS = ROOT / "deploy" / "overlays"
SECONDS = 180.0


def overlays() -> list[Path]:
    """The folder of each overlay."""
    return sorted(folder.parent for folder in OVERLAYS.glob("*/kustomization.yaml"))


def check(kubectl: Kubectl, overlay: Path, say: Callable[[str], None]) -> str:
    """Send an overlay for a dry run, warnings being errors, and each pod template once more as a pod."""
    rendered = render(kubectl, overlay)
    known = served(kubectl)
    taken = [one for one in rendered if kind_of(one) in known]
    if skipped := sorted({kind_of(one) for one in rendered} - known):
        say(f"skipped, for this cluster does not know their kind: {', '.join(skipped)}")
    bare = list(pods_of(taken, kubectl.namespace))
    _dry_run(kubectl, taken)
    # A pod whose account is missing is refused for that, before anybody looks at its rights.
    kubectl.apply(*(one for one in taken if one["kind"] == "ServiceAccount"))
    _dry_run(kubectl, bare)
    return f"{len(taken)} of {len(rendered)} objects and {len(bare)} pods of their templates admitted"


def render(kubectl: Kubectl, overlay: Path) -> list[Object]:
    """The objects that an overlay makes."""
    return [one for one in yaml.safe_load_all(kubectl("kustomize", str(overlay))) if one]


def served(kubectl: Kubectl) -> set[str]:
    """Every `apiVersion/Kind` that the cluster knows."""
    lines = kubectl("api-resources", "--no-headers").splitlines()
    return {f"{version}/{kind}" for *_, version, _, kind in map(str.split, lines)}


def kind_of(one: Object) -> str:
    """An object's `apiVersion/Kind`."""
    return f"{one['apiVersion']}/{one['kind']}"


def pods_of(objects: list[Object], namespace: str) -> Iterator[Object]:
    """A pod of each template: a Deployment is admitted, with a warning, where its pods would be refused."""
    for one in objects:
        spec: Any = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
        if "containers" not in template.get("spec", {}):
            continue
        name = f"{one['kind']}-{one['metadata']['name']}".lower()[:63].rstrip("-")
        meta = {**template.get("metadata", {}), "name": name, "namespace": namespace}
        spec = {"restartPolicy": "Always", **template["spec"]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _dry_run(kubectl: Kubectl, objects: list[Object]) -> None:
    if not objects:
        raise Failed("nothing of it is known to this cluster")
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    arguments = ["apply", "--dry-run=server", "--warnings-as-errors", "--filename", "-"]
    kubectl(*arguments, stdin=body, seconds=SECONDS)


@contextmanager
def kinds(kubectl: Kubectl, source: str) -> Iterator[None]:
    """Have the CRDs of a folder or URL in the cluster for so long; those that were there stay untouched."""
    if not source:
        yield
        return
    code, output, errors = kubectl.attempt(
        "create", "--filename", source, "--output", "name", seconds=SECONDS
    )
    made = output.split()
    try:
        if code and any("AlreadyExists" not in line for line in errors.splitlines()):
            raise Failed(f"the CRDs of {source}: {errors.strip()[-1000:]}")
        if made:
            kubectl("wait", *made, "--for=condition=Established", "--timeout=60s", seconds=70)
        yield
    finally:
        if made:
            kubectl("delete", *made, seconds=SECONDS)
