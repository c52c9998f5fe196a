"""CPU load scales a serve Deployment up through its HPA, and its end down again, while baskets are sold."""

from __future__ import annotations

from local.cluster.credentials import token_secret
from local.cluster.metrics import CALLS, total
from local.cluster.settings import TAG
from local.cluster.stand import Stand
from local.cluster.tills import image, pod

SERVICE = "customers"
DEPLOYMENT = f"{SERVICE}-serve"
BURN, CALLERS = "burn", 4
LONGEST = 600.0
UP_SECONDS, DOWN_SECONDS = 300.0, 420.0


def _burn(stand: Stand) -> None:
    arguments = ["-m", "local.cluster.burn", f"dns:///{SERVICE}:7000", str(LONGEST), str(CALLERS)]
    stand.kubectl.apply(
        token_secret(stand.kubectl, BURN, BURN), pod(BURN, image(TAG), arguments, secret=BURN)
    )


def check(stand: Stand) -> str:
    """Load customers until another pod is ready and answers; take the load away until it has gone."""
    least = stand.kubectl.get("hpa", DEPLOYMENT)["spec"].get("minReplicas", 1)
    with stand.replay("load") as replay:
        stand.until(
            f"{DEPLOYMENT} has {least} pods", lambda: len(stand.pods(DEPLOYMENT)) == least, DOWN_SECONDS
        )
        first = {pod.uid for pod in stand.pods(DEPLOYMENT)}
        _burn(stand)
        try:
            added = stand.until(
                f"another pod of {DEPLOYMENT} is ready under load",
                lambda: [pod for pod in stand.ready(DEPLOYMENT) if pod.uid not in first],
                UP_SECONDS,
            )[0]
            stand.until(
                f"{added.name} answers calls", lambda: total(stand.kubectl, added.name, CALLS) > 0, 90
            )
            most = len(stand.pods(DEPLOYMENT))
            stand.say(f"{DEPLOYMENT} has {most}")
        finally:
            stand.kubectl("delete", "pod", BURN, "--ignore-not-found", "--grace-period=1")
        stand.until(
            f"{DEPLOYMENT} has {least} pods again", lambda: len(stand.pods(DEPLOYMENT)) == least, DOWN_SECONDS
        )
    replay.must_not_fail()
    return f"{DEPLOYMENT} {least} → {most} → {least}; {replay.said}"
