"""A work Deployment is scaled from 1 to 3 and back while baskets are sold."""

from __future__ import annotations

from local.cluster.stand import Stand

WORK = "customers-work"


def check(stand: Stand) -> str:
    """1 → 3 → 1; members come and go, and nothing is lost or done twice."""
    with stand.replay("workers") as replay:
        try:
            for wanted in (3, 1):
                stand.kubectl("scale", f"deployment/{WORK}", f"--replicas={wanted}")
                stand.until(
                    f"{WORK} has {wanted} ready pods",
                    lambda wanted=wanted: len(stand.ready(WORK)) == len(stand.pods(WORK)) == wanted,  # type: ignore[misc]
                    240,
                )
                stand.say(f"{WORK} has {wanted}")
        finally:
            stand.kubectl("scale", f"deployment/{WORK}", "--replicas=1")
    replay.must_not_fail()
    return f"{WORK} 1 → 3 → 1; {replay.said}"
