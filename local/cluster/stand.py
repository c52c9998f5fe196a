"""The product as it stands in the cluster: what the checks look at and wait for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from local.cluster import failed
from local.cluster.kubectl import Kubectl
from local.cluster.pods import Pod, pods
from local.cluster.replay import Replay
from local.cluster.settings import TAG, ClusterSettings
from local.services import SERVICES

T = TypeVar("T")
ROLES = ("serve", "work")
PARTS = ("postgres", "kafka", "mail")
READY_SECONDS = 240.0
PATIENCE = 30.0  # seconds of a gateway with one call, repetitions included
DEPLOYMENTS = tuple(f"{service}-{role}" for service in SERVICES for role in ROLES)


def selector(owner: str) -> str:
    """The labels of the pods of a Deployment, or of Postgres, Kafka or the mail sink."""
    service, _, role = owner.partition("-")
    labels = f"app.kubernetes.io/name={service}"
    return f"{labels},app.kubernetes.io/component={role}" if role else labels


class Stand:
    """One installation under test. `say` is told each step in a few words."""

    def __init__(self, settings: ClusterSettings, kubectl: Kubectl, say: Callable[[str], None]) -> None:
        self.settings, self.kubectl, self.say = settings, kubectl, say
        self._seeds = itertools.count(settings.seed)

    def pods(self, owner: str) -> list[Pod]:
        """The pods of a Deployment or StatefulSet that are not on their way out, oldest first."""
        return pods(self.kubectl, selector(owner))

    def ready(self, owner: str) -> list[Pod]:
        """Those of them that are ready."""
        return [pod for pod in self.pods(owner) if pod.ready]

    def until(self, what: str, probe: Callable[[], T], seconds: float) -> T:
        """Wait for something true, as patiently as the settings say."""
        return failed.until(what, probe, seconds * self.settings.patience)

    def rolled(self, deployment: str) -> None:
        """Wait until every pod of a Deployment is of its newest template and the old ones have gone."""
        within = f"--timeout={READY_SECONDS * self.settings.patience:.0f}s"
        self.kubectl("rollout", "status", f"deployment/{deployment}", within, seconds=READY_SECONDS + 10)

    def all_ready(
        self, owners: Iterable[str] = (*PARTS, *DEPLOYMENTS), seconds: float = READY_SECONDS
    ) -> None:
        """Wait until each of these has a pod and all of its pods are ready."""
        for owner in owners:
            self.until(f"{owner} is ready", lambda owner=owner: self._is_ready(owner), seconds)  # type: ignore[misc]

    def _is_ready(self, owner: str) -> bool:
        found = self.pods(owner)
        return bool(found) and all(pod.ready for pod in found)

    def recovered(self) -> str:
        """Wait, after a failed check, until all is as it was."""
        self.all_ready()
        return "all pods are ready"

    def restarts(self) -> dict[str, int]:
        """How often the containers of each pod of a service were started again, by the pod's uid."""
        return {pod.uid: pod.restarts for owner in DEPLOYMENTS for pod in self.pods(owner)}

    @contextmanager
    def replay(self, name: str, *, tag: str = TAG, patience: float = PATIENCE) -> Iterator[Replay]:
        """Sell real baskets while the body runs; Failed unless all was answered in the end and reconciles."""
        replay = Replay(self.kubectl, self.settings, name, next(self._seeds), tag, patience)
        replay.start()
        try:
            yield replay
            replay.finish()
        finally:
            replay.remove()
