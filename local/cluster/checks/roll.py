"""Each Deployment is rolled while baskets are sold, and no call fails for good."""

from __future__ import annotations

from local.cluster.failed import Failed
from local.cluster.stand import DEPLOYMENTS, Stand


def check(stand: Stand) -> str:
    """`kubectl rollout restart` of each, one after the other."""
    with stand.replay("roll") as replay:
        for deployment in DEPLOYMENTS:
            before = {pod.uid for pod in stand.pods(deployment)}
            stand.kubectl("rollout", "restart", f"deployment/{deployment}")
            stand.rolled(deployment)
            if stayed := before & {pod.uid for pod in stand.pods(deployment)}:
                raise Failed(f"{len(stayed)} pods of {deployment} were not rolled")
            stand.say(f"rolled {deployment}")
    replay.must_not_fail()
    return f"{len(DEPLOYMENTS)} Deployments rolled; {replay.said}"
