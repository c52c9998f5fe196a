"""Two builds of customers side by side, on one database and topic, speak to each other's neighbours.

The older is the build under test, the newer is local/cluster/upcoming.py: a column and a field in every
event, request and answer more. Old tills call the new pods, new tills the old; old consumers hear the new
events, new consumers the old.
"""

from __future__ import annotations

import copy
from typing import Any

from local.cluster import upcoming
from local.cluster.failed import Failed
from local.cluster.metrics import CALLS, EVENTS, total
from local.cluster.settings import TAG
from local.cluster.stand import Stand

SERVICE = "customers"
BOTH = (("serve", CALLS), ("work", EVENTS))
SECONDS = 240.0


def check(stand: Stand) -> str:
    """Migrate, start the newer pods beside the older ones, and sell from old tills, then from new ones."""
    _migrate(stand)
    made = [_beside(stand, role) for role, _ in BOTH]
    said = []
    try:
        for name in made:
            stand.rolled(name)
        for tag in (TAG, upcoming.TAG):
            before = _counted(stand)
            with stand.replay(f"tills-{tag}", tag=tag) as replay:
                stand.until(
                    f"pods of both builds work for tills of {tag}",
                    lambda before=before: _all_grew(before, _counted(stand)),  # type: ignore[misc]
                    SECONDS,
                )
            replay.must_not_fail()
            said.append(f"tills of {tag}: {replay.said}")
            stand.say(said[-1])
    finally:
        for name in made:
            stand.kubectl("delete", f"deployment/{name}", "--wait=true", "--timeout=60s", seconds=70)
    return "; ".join(said)


def _migrate(stand: Stand) -> None:
    """Run the newer build's migration while the older one serves."""
    jobs = stand.kubectl.get(
        "jobs", "--selector", f"app.kubernetes.io/name={SERVICE},app.kubernetes.io/component=migrate"
    )
    if not jobs:
        raise Failed(f"there is no migration Job of {SERVICE}")
    name = f"{SERVICE}-migrate-{upcoming.TAG}"
    stand.kubectl("delete", "job", name, "--ignore-not-found")
    job = _renamed(jobs[-1], name)
    del job["spec"]["selector"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    for key in [key for key in labels if "controller-uid" in key or "job-name" in key]:
        del labels[key]
    stand.kubectl.apply(job)
    stand.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=180s", seconds=190)


def _beside(stand: Stand, role: str) -> str:
    """Start one pod of the newer build, with the labels that Service, budget and policies select."""
    name = f"{SERVICE}-{role}-{upcoming.TAG}"
    deployment = _renamed(stand.kubectl.get("deployment", f"{SERVICE}-{role}"), name)
    spec = deployment["spec"]
    spec["replicas"] = 1
    build = {"langganan.test-cluster/build": upcoming.TAG}
    spec["selector"]["matchLabels"] |= build
    spec["template"]["metadata"]["labels"] |= build
    stand.kubectl.apply(deployment)
    return name


def _renamed(found: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy of an object under another name, with the newer image."""
    made = copy.deepcopy(found)
    meta = made["metadata"]
    made["metadata"] = {"name": name, "labels": meta.get("labels", {})}
    made.pop("status", None)
    for container in made["spec"]["template"]["spec"]["containers"]:
        image, _, tag = container["image"].rpartition(":")
        container["image"] = f"{image}:{upcoming.TAG}" if image.endswith(f"/{SERVICE}") else f"{image}:{tag}"
    return made


def _counted(stand: Stand) -> dict[str, float]:
    """What each pod of customers has done: calls of serve, events of work."""
    return {
        pod.name: total(stand.kubectl, pod.name, sample)
        for role, sample in BOTH
        for pod in stand.ready(f"{SERVICE}-{role}")
    }


def _all_grew(before: dict[str, float], after: dict[str, float]) -> bool:
    return all(after.get(name, 0.0) > count for name, count in before.items())
