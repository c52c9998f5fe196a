"""What is wrong in the namespace, for whoever reads a failed run: pods that are not ready, and why."""

from __future__ import annotations

from local.cluster.kubectl import Kubectl
from local.cluster.pods import read

LINES = 8


def troubles(kubectl: Kubectl) -> str:
    """Every pod that is not ready with its last lines of log, and the last warnings of the namespace."""
    said: list[str] = []
    for found in kubectl.get("pods"):
        pod = read(found)
        if pod.ready or pod.phase == "Succeeded":
            continue
        said.append(
            f"{pod.name}: {pod.phase}, {pod.restarts} restarts, {pod.why or 'not ready'} {pod.says}".rstrip()
        )
        _, log, _ = kubectl.attempt("logs", pod.name, "--all-containers", f"--tail={LINES}")
        said.extend(f"    {line[:300]}" for line in log.splitlines())
    _, events, _ = kubectl.attempt("get", "events", "--field-selector", "type=Warning", "--no-headers")
    said.extend(f"  {line[:300]}" for line in events.splitlines()[-LINES:])
    return "\n".join(said) or "every pod is ready"
