"""Pods are evicted as a drained node does it; the budgets let one of a kind go at a time."""

from __future__ import annotations

import json

from local.cluster.failed import Failed
from local.cluster.stand import Stand
from local.services import SERVICES

REFUSED = "disruption budget"


def check(stand: Stand) -> str:
    """With two pods of each serve: the first may go, the second not before another has taken its place."""
    with stand.replay("budgets") as replay:
        for service in SERVICES:
            _evict_both(stand, service)
    replay.must_not_fail()
    return f"of two pods of {', '.join(SERVICES)} one at a time was let go; {replay.said}"


def _evict_both(stand: Stand, service: str) -> None:
    deployment, scaler = f"{service}-serve", f"hpa/{service}-serve"
    spec = stand.kubectl.get(scaler)["spec"]
    before = {"minReplicas": spec.get("minReplicas", 1), "maxReplicas": spec["maxReplicas"]}
    stand.kubectl.patch(scaler, {"spec": {"minReplicas": 2, "maxReplicas": 2}})
    try:
        one, other = stand.until(
            f"{deployment} has two ready pods",
            lambda: found if len(found := stand.ready(deployment)) == 2 else [],
            240,
        )
        if refusal := evict(stand, one.name):
            raise Failed(f"the budget let no pod of {deployment} go: {refusal}")
        refusal = evict(stand, other.name)
        if REFUSED not in refusal:
            raise Failed(f"a second pod of {deployment} could be evicted at once: {refusal or 'evicted'}")
        stand.until(
            f"{deployment} has two ready pods again",
            lambda: len({pod.uid for pod in stand.ready(deployment)} - {one.uid}) == 2,
            240,
        )
        if refusal := evict(stand, other.name):
            raise Failed(f"with another in its place the pod of {deployment} was kept: {refusal}")
        stand.until(f"{deployment} has two once more", lambda: len(stand.ready(deployment)) == 2, 240)
    finally:
        stand.kubectl.patch(scaler, {"spec": before})
    stand.say(f"evicted the pods of {deployment}")


def evict(stand: Stand, pod: str) -> str:
    """Ask for a pod's eviction; why it was refused, empty when it was granted."""
    namespace = stand.kubectl.namespace
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    code, output, errors = stand.kubectl.attempt(
        "create", "--raw", path, "--filename", "-", stdin=json.dumps(body)
    )
    return (errors or output).strip() if code else ""
