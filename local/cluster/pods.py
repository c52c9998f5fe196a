"""What a pod's status says, as the checks need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.cluster.kubectl import Kubectl, Object


@dataclass(frozen=True)
class Pod:
    """A pod as it was when asked. `why` and `says`: reason and message of a container that does not run."""

    name: str
    uid: str
    ip: str
    phase: str
    ready: bool
    ending: bool
    restarts: int
    why: str = ""
    says: str = ""


def read(found: Object) -> Pod:
    """Read one item of `kubectl get pods`."""
    meta, status = found["metadata"], found.get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
    why, says = _trouble(containers)
    return Pod(
        name=meta["name"],
        uid=meta["uid"],
        ip=status.get("podIP", ""),
        phase=status.get("phase", ""),
        ready=conditions.get("Ready") == "True",
        ending="deletionTimestamp" in meta,
        restarts=sum(one.get("restartCount", 0) for one in containers),
        why=why,
        says=says,
    )


def _trouble(containers: list[dict[str, Any]]) -> tuple[str, str]:
    """Reason and message of the first container that waits, or has ended badly."""
    for container in containers:
        for state in (container.get("state", {}), container.get("lastState", {})):
            for kind in ("waiting", "terminated"):
                part = state.get(kind, {})
                if part.get("reason") not in (None, "Completed", "PodInitializing", "ContainerCreating"):
                    return part["reason"], part.get("message", "")
    return "", ""


def pods(kubectl: Kubectl, selector: str) -> list[Pod]:
    """The pods that a label selector finds and that are not on their way out, oldest first."""
    found = kubectl.get("pods", "--selector", selector)
    found.sort(key=lambda one: one["metadata"]["creationTimestamp"])
    return [pod for pod in map(read, found) if not pod.ending]
