"""A work Deployment is scaled from 1 to 3 and back while baskets are sold."""

from __future__ import annotations

from local.cluster.metrics import EVENTS, total
from local.cluster.stand import Stand

WORK = "customers-work"
SECONDS = 240.0


def check(stand: Stand) -> str:
    """1 → 3, each of which applies events, → 1; nothing is lost or done twice."""
    with stand.replay("workers") as replay:
        try:
            _scale(stand, 3)
            for pod in stand.ready(WORK):
                stand.until(
                    f"{pod.name} has applied events",
                    lambda pod=pod: total(stand.kubectl, pod.name, EVENTS) > 0,  # type: ignore[misc]
                    SECONDS,
                )
            stand.say("each of the three has applied events")
        finally:
            _scale(stand, 1)
    replay.must_not_fail()
    return f"{WORK} 1 → 3 → 1; {replay.said}"


def _scale(stand: Stand, wanted: int) -> None:
    stand.kubectl("scale", f"deployment/{WORK}", f"--replicas={wanted}")
    stand.until(
        f"{WORK} has {wanted} ready pods",
        lambda: len(stand.ready(WORK)) == len(stand.pods(WORK)) == wanted,
        SECONDS,
    )
    stand.say(f"{WORK} has {wanted}")
