"""The namespace of a run: made by it, marked as its own, and nobody else's ever touched."""

from __future__ import annotations

import json

from local.cluster.failed import Failed
from local.cluster.kubectl import Kubectl

# The service accounts' subjects are `system:serviceaccount:langganan:SERVICE`, so the name is no setting.
NAME = "langganan"
MARK = "langganan.test-cluster/made-by"
LABELS = {
    MARK: "driver",
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
DELETE_SECONDS = 240.0


def claim(kubectl: Kubectl, *, reuse: bool = False) -> None:
    """Make the namespace afresh, enforcing `restricted`; Failed when it is there and not ours."""
    label = MARK.replace(".", r"\.")
    code, mark, _ = kubectl.attempt(
        "get", "namespace", NAME, "--output", f"jsonpath={{.metadata.labels.{label}}}"
    )
    if code == 0 and mark != LABELS[MARK]:
        raise Failed(
            f"the namespace {NAME} exists and was not made by this driver; it installs, breaks and deletes, "
            "so point KUBECONFIG at a cluster for tests"
        )
    if code == 0 and reuse:
        return
    if reuse:
        raise Failed("REUSE=1 takes what a run with KEEP=1 has left; there is nothing")
    if code == 0:
        give_back(kubectl)
    # Created, not applied: what deploy/overlays/local says of the namespace later must not take our mark.
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": LABELS}}
    kubectl("create", "--filename", "-", stdin=json.dumps(body))


def give_back(kubectl: Kubectl) -> None:
    """Delete the namespace with all that is in it, and the volumes that were for it."""
    seconds = DELETE_SECONDS
    arguments = ["--ignore-not-found", f"--timeout={seconds:.0f}s"]
    kubectl("delete", "namespace", NAME, *arguments, seconds=seconds + 10)
    for volume in kubectl.get("persistentvolumes"):
        if volume["spec"].get("claimRef", {}).get("namespace") == NAME:
            kubectl(
                "delete", "persistentvolume", volume["metadata"]["name"], *arguments, seconds=seconds + 10
            )
