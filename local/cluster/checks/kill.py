"""A pod of each kind is deleted without grace while baskets are sold; all of it comes back by itself."""

from __future__ import annotations

from local.cluster.failed import Failed
from local.cluster.stand import DEPLOYMENTS, PARTS, Stand

# Seconds that Postgres may be away in: until then calls are repeated under their ids, as gateways do.
AWAY = 240.0


def check(stand: Stand) -> str:
    """Kill one of each Deployment, Postgres, Kafka and the mail sink; nobody else is restarted for it."""
    with stand.replay("kill", patience=AWAY) as replay:
        before = stand.restarts()
        for owner in (*DEPLOYMENTS, *PARTS):
            victim = stand.ready(owner)[0]
            stand.kubectl("delete", "pod", victim.name, "--grace-period=0", "--force", "--wait=false")
            stand.until(
                f"another pod of {owner} is ready",
                lambda owner=owner, victim=victim: {pod.uid for pod in stand.ready(owner)} - {victim.uid},  # type: ignore[misc]
                240,
            )
            stand.all_ready()
            stand.say(f"killed {victim.name}; all are ready again")
        after = stand.restarts()
        if restarted := [uid for uid, count in before.items() if after.get(uid, count) != count]:
            raise Failed(f"{len(restarted)} containers of others were started again; they must only wait")
    replay.must_not_fail()
    return f"{len(DEPLOYMENTS) + len(PARTS)} pods killed; {replay.said}"
