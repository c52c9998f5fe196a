"""Every audit and the comparison of the services pass after all that was done to the installation."""

from __future__ import annotations

from local.cluster.failed import Failed
from local.cluster.stand import Stand

SECONDS = 240.0


def check(stand: Stand) -> str:
    """Run each CronJob once, by hand."""
    found = sorted(one["metadata"]["name"] for one in stand.kubectl.get("cronjobs"))
    if not found:
        raise Failed("there are no CronJobs to run")
    for cronjob in found:
        job = f"{cronjob}-by-hand"
        stand.kubectl("create", "job", job, f"--from=cronjob/{cronjob}")
        try:
            status = stand.until(f"{job} ends", lambda job=job: _ended(stand, job), SECONDS)  # type: ignore[misc]
            if status != "Complete":
                raise Failed(f"{job}: {stand.kubectl('logs', f'job/{job}', '--tail=5').strip()}")
        finally:
            stand.kubectl("delete", "job", job, "--wait=false")
    return f"passed: {', '.join(found)}"


def _ended(stand: Stand, job: str) -> str:
    """The condition that ended a Job; empty while it runs."""
    conditions = stand.kubectl.get("job", job).get("status", {}).get("conditions", [])
    ended = [
        one["type"] for one in conditions if one["status"] == "True" and one["type"] in ("Complete", "Failed")
    ]
    return ended[0] if ended else ""
