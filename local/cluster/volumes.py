"""Empties the volumes of an installation: their data outlives the pods, the claims and the namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.cluster.failed import Failed, until
from local.cluster.kubectl import Kubectl, Object
from local.cluster.pods import read
from local.cluster.tills import pod

NAME = "empty-volumes"
SECONDS = 180.0
EMPTY = """
import pathlib, shutil, sys
for folder in map(pathlib.Path, sys.argv[1:]):
    for inside in folder.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
"""


def empty(kubectl: Kubectl, objects: list[Object], image: str, patience: float) -> int:
    """Make the claims of rendered objects, and remove all data from the folders that their pods use."""
    kubectl.apply(*(one for one in objects if one["kind"] in ("PersistentVolume", "PersistentVolumeClaim")))
    mounts = list(_mounts(objects))
    if not mounts:
        return 0
    made = pod(NAME, image, ["-c", EMPTY, *(mount["mountPath"] for _, mount in mounts)])
    spec = made["spec"]
    spec["volumes"] += [
        {"name": mount["name"], "persistentVolumeClaim": {"claimName": claim}} for claim, mount in mounts
    ]
    spec["containers"][0]["volumeMounts"] += [mount for _, mount in mounts]
    kubectl.apply(made)
    try:
        phase = until("the volumes are empty", lambda: _ended(kubectl), SECONDS * patience)
        if phase != "Succeeded":
            raise Failed(f"the volumes could not be emptied: {kubectl.attempt('logs', NAME)[1]}")
    finally:
        kubectl("delete", "pod", NAME, "--grace-period=1")
    return len(mounts)


def _ended(kubectl: Kubectl) -> str:
    phase = read(kubectl.get("pod", NAME)).phase
    return phase if phase in ("Succeeded", "Failed") else ""


def _mounts(objects: list[Object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each claim that a pod template uses, with the mount that another pod needs to see the same folder."""
    for one in objects:
        spec: Any = one.get("spec", {}).get("template", {}).get("spec", {})
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in spec.get("volumes", [])
            if "persistentVolumeClaim" in volume
        }
        for container in spec.get("containers", []) if claims else []:
            for mount in container["volumeMounts"]:
                if mount["name"] in claims:
                    claim = claims[mount["name"]]
                    yield claim, {**mount, "name": claim, "mountPath": f"/volumes/{claim}"}
