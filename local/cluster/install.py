"""Brings the product into the cluster: images, secrets, deploy/overlays/local, and waits until it serves."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from local.cluster import credentials, images, tills, upcoming, volumes
from local.cluster.dryrun import render
from local.cluster.settings import TAG
from local.cluster.stand import Stand
from local.settings import ROOT

OVERLAY = ROOT / "deploy" / "overlays" / "local"
APPLY_SECONDS, START_SECONDS = 120.0, 600.0


def install(stand: Stand, next_too: bool) -> str:
    """Build, load, apply and wait; `next_too`: load the images of the next release as well."""
    with tempfile.TemporaryDirectory(prefix="langganan-cluster-") as folder:
        _bring_images(stand, Path(folder), next_too)
        stand.kubectl.apply(*credentials.objects(stand.kubectl), *tills.policies())
        rendered = render(stand.kubectl, OVERLAY)
        volumes.empty(stand.kubectl, rendered, f"langganan/parts:{TAG}", stand.settings.patience)
        overlay = ours(Path(folder) / "overlay", credentials.issuer(stand.kubectl), stand.settings.scale_at)
        applied = stand.kubectl("apply", "--kustomize", str(overlay), seconds=APPLY_SECONDS)
    count = len(applied.splitlines())
    stand.say(f"applied {count} objects; waiting until everything is ready")
    stand.all_ready(seconds=START_SECONDS)
    return f"{count} objects applied, all pods ready"


def _bring_images(stand: Stand, folder: Path, next_too: bool) -> None:
    settings = stand.settings
    wanted: list[tuple[Path, str, Collection[str]]] = [(ROOT, TAG, images.IMAGES)]
    if next_too:
        wanted.append((upcoming.make(folder / "next"), upcoming.TAG, upcoming.IMAGES))
    for tree, tag, names in wanted:
        out = settings.archives or folder
        missing = [name for name in names if not images.archive(out, name, tag).exists()]
        if missing:
            stand.say(f"building {', '.join(missing)} with the tag {tag}")
            images.build(tree, out, tag, missing)
        images.load(settings, [images.archive(out, name, tag) for name in names], stand.say)


def ours(folder: Path, issuer: str, scale_at: str) -> Path:
    """An overlay on top of `local`, as an operator writes it, with what differs between clusters."""
    folder.mkdir(parents=True)
    kustomization: dict[str, object] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "langganan",
        "resources": [os.path.relpath(OVERLAY, folder)],
        "configMapGenerator": [
            {"name": "settings", "behavior": "merge", "literals": [f"CLUSTER_ISSUER={issuer}"]}
        ],
    }
    if scale_at:
        target = {"type": "AverageValue", "averageValue": scale_at}
        change = [{"op": "replace", "path": "/spec/metrics/0/resource/target", "value": target}]
        kustomization["patches"] = [
            {"target": {"kind": "HorizontalPodAutoscaler"}, "patch": json.dumps(change)}
        ]
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return folder
