"""A pod of the driver's own: Python from the image of the tills, as restricted as any other pod."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local.cluster.kubectl import Object

LABEL = "langganan.test-cluster/pod"
MOUNT = "/run/tills"


def image(tag: str) -> str:
    """The image of the tills."""
    return f"langganan/tills:{tag}"


def pod(name: str, image: str, arguments: Sequence[str], *, secret: str = "") -> Object:
    """One run of `python ARGUMENTS`, never started again. `secret` is mounted, /tmp is writable."""
    container: dict[str, Any] = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", *arguments],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if secret:
        container["volumeMounts"].append({"name": "token", "mountPath": MOUNT, "readOnly": True})
        spec["volumes"].append({"name": "token", "secret": {"secretName": secret}})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {LABEL: "tills"}},
        "spec": spec,
    }


def policies() -> list[Object]:
    """What lets these pods through: they call services from inside the namespace, as no gateway does."""
    ours = {"podSelector": {"matchLabels": {LABEL: "tills"}}}
    serve = {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "serve"}}}
    ports = [{"port": 7000}]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"tills-{name}"},
            "spec": spec,
        }
        for name, spec in (
            ("out", {**ours, "policyTypes": ["Egress"], "egress": [{"to": [serve], "ports": ports}]}),
            ("in", {**serve, "policyTypes": ["Ingress"], "ingress": [{"from": [ours], "ports": ports}]}),
        )
    ]
