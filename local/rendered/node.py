"""The controllers: Deployments and StatefulSets with their pods, Jobs, Services with who is ready."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.manifests import Object
from local.part import PartFailed
from local.rendered.network import GATEWAY, Addresses, Names, prepare
from local.rendered.objects import Objects
from local.rendered.pod import End, Pod

LOOK_SECONDS = 0.1
PROPAGATION_SECONDS = 1.0  # until DNS says who is ready: endpoint slices and CoreDNS take about so long
JOB_SECONDS, READY_SECONDS = 120, 120
RESTARTS = 1  # of a pod that is waited for, and more will not help


class Workload:
    """The pods of a Deployment or StatefulSet."""

    def __init__(self, name: str, make: Callable[[str, Object], Pod], template: Object) -> None:
        self.name, self.template = name, template
        self.pods: list[Pod] = []
        self.gone: dict[str, End] = {}  # every pod that was ended, and how
        self.restarts: list[str] = []
        self._make = make
        self._numbers = itertools.count()
        self._ending: set[asyncio.Task[None]] = set()

    def add(self) -> Pod:
        """Start one more pod."""
        pod = self._make(f"{self.name}-{next(self._numbers)}", self.template)
        self.pods.append(pod)
        return pod

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until all pods are ready; raise PartFailed with the log of one that is not."""
        deadline = time.monotonic() + seconds
        while waiting := [pod for pod in self.pods if not pod.ready]:
            pod = max(waiting, key=lambda one: len(one.restarts))
            if time.monotonic() > deadline or len(pod.restarts) > RESTARTS:
                raise PartFailed(f"{pod.name} is not ready; restarts: {pod.restarts}; its log ends:", pod.log)
            await asyncio.sleep(LOOK_SECONDS)

    async def roll(self, template: Object | None = None, seconds: float = READY_SECONDS) -> None:
        """One new pod more, wait until it is ready, then one old pod less, until all are new.

        As `maxSurge: 1, maxUnavailable: 0` say. Where a new pod does not become ready the old ones stay, and
        PartFailed is raised.
        """
        self.template = template or self.template
        for old in list(self.pods):
            fresh = self.add()
            try:
                await self.ready(seconds)
            except PartFailed:
                self.end(fresh)
                raise
            self.end(old)

    async def scale(self, wanted: int) -> None:
        """Have so many pods: start what is missing, end the youngest of those too many."""
        while len(self.pods) < wanted:
            self.add()
        while len(self.pods) > wanted:
            self.end(self.pods[-1])
        await self.ready()

    def end(self, pod: Pod, *, force: bool = False) -> None:
        """Delete a pod; it goes on ending while others do other things."""
        self.pods.remove(pod)
        task = asyncio.create_task(self._end(pod, force))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, pod: Pod, force: bool) -> None:
        self.gone[pod.name] = await (pod.kill() if force else pod.delete())
        self.restarts += [f"{pod.name}: {why}" for why in pod.restarts]

    async def quiet(self) -> None:
        """Wait until every pod that was deleted has ended."""
        await asyncio.gather(*list(self._ending))


class Node:
    """All of it: `async with Node(objects, folder) as node`. `folder` holds logs and claims."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self.objects, self.folder = objects, folder
        self.workloads: dict[str, Workload] = {}
        self._addresses = Addresses()
        self._published: dict[str, list[str]] = {name: [] for name in objects.names("Service")}
        self._tasks: list[asyncio.Task[None]] = []
        self._transport: asyncio.BaseTransport | None = None
        self._runs = itertools.count()

    async def __aenter__(self) -> Node:
        (self.folder / "logs").mkdir(parents=True)
        prepare(self.folder)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: Names(self._published.get), local_addr=(GATEWAY, 53)
        )
        self._tasks.append(asyncio.create_task(self._publish()))
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        for workload in self.workloads.values():
            for pod in list(workload.pods):
                workload.end(pod, force=True)
            await workload.quiet()
        if self._transport:
            self._transport.close()

    async def _publish(self) -> None:
        """Tell DNS who is ready, a moment later than it is so."""
        steps = int(PROPAGATION_SECONDS / LOOK_SECONDS)
        past: list[Mapping[str, list[str]]] = []
        while True:
            past.append({name: self._ready(name) for name in self._published})
            if len(past) > steps:
                self._published.update(past.pop(0))
            await asyncio.sleep(LOOK_SECONDS)

    def _ready(self, service: str) -> list[str]:
        wanted = self.objects["Service", service]["spec"]["selector"].items()
        return [
            pod.address
            for workload in self.workloads.values()
            for pod in workload.pods
            if pod.ready and not pod.deleting and wanted <= pod.spec.labels.items()
        ]

    def _make(self, name: str, template: Object, *, again: bool = True) -> Pod:
        spec, logs = self.objects.pod(template), self.folder / "logs"
        return Pod(name, spec, logs, self._addresses, self.folder / "claims", again=again)

    def start(self, kind: str, name: str) -> Workload:
        """Start the pods of a Deployment or StatefulSet."""
        workload = Workload(name, self._make, self.objects[kind, name]["spec"]["template"])
        self.workloads[name] = workload
        for _ in range(self.objects.replicas(kind, name)):
            workload.add()
        return workload

    async def job(self, name: str, spec: Mapping[str, Any]) -> None:
        """Run a Job's pod until it succeeds; raise PartFailed when it does not at the first attempt."""
        pod = self._make(f"{name}-{next(self._runs)}", spec["template"], again=False)
        try:
            async with asyncio.timeout(JOB_SECONDS):
                code = await pod.wait()
        except TimeoutError as error:
            raise PartFailed(f"job {name} had not ended after {JOB_SECONDS} s", pod.log) from error
        finally:
            await pod.kill()
        if code:
            raise PartFailed(f"job {name} ended with exit code {code}", pod.log)

    async def published(self, service: str, addresses: set[str]) -> None:
        """Wait until DNS says exactly these of a Service."""
        while set(self._published[service]) != addresses:  # noqa: ASYNC110  the publisher turns by itself
            await asyncio.sleep(LOOK_SECONDS)
