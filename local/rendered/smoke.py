"""What is done to the rendered overlay: start as an operator would, sell, roll, scale, break, reconcile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from local.brought import brought
from local.demo.compare.found import Found
from local.demo.report import compare_mails
from local.mailsink import Mailbox
from local.manifests import render
from local.part import PartFailed
from local.rendered import breaking
from local.rendered.breaking import FEW, MANY
from local.rendered.node import Node
from local.rendered.objects import Objects
from local.rendered.steps import Steps
from local.rendered.tills import Tills
from local.services import SERVICES
from local.tokens import Keys, service_subject

SCALED, MOST = "customers-work", 3
ROLLED = ("customers-serve", "credit-work")  # where not all are
SAMPLE = 1_800  # baskets to choose from, about 60 a customer
SETTLE_SECONDS, ALTERED_SECONDS = 120.0, 15.0


class Smoke:
    """One run."""

    def __init__(self, overlay: Path, folder: Path, rate: float) -> None:
        self._folder, self._rate = folder, rate
        self._keys = keys = Keys(folder / "keys")
        rendered = render(overlay)
        self._issuer = next(
            one["data"]["CLUSTER_ISSUER"]
            for one in rendered
            if one["kind"] == "ConfigMap" and "CLUSTER_ISSUER" in (one.get("data") or {})
        )
        self._brought = brought(keys.jwks.read_text(), keys.cluster_jwks.read_text())
        self._objects = Objects(rendered, self._brought, self._token)
        self._steps = Steps()

    def _token(self, account: str, audience: str, seconds: int) -> str:
        subject = service_subject(account)
        return self._keys.cluster(subject, seconds / 3600, issuer=self._issuer, audience=audience)

    def _tills(self, name: str, settle: float) -> Tills:
        return Tills(name, self._folder, self._keys.folder, rate=self._rate, sample=SAMPLE, settle=settle)

    async def run(self, *, whole: bool) -> dict[str, Any]:
        """Do all of it; raise PartFailed where it cannot go on."""
        started, steps = time.monotonic(), self._steps
        async with Node(self._objects, self._folder) as node:
            await self._start(node)
            tills = self._tills("replay", SETTLE_SECONDS)
            with steps.step("the first sales"):
                await tills.start()
            await self._disturb(node, tills, whole=whole)
            if whole:
                await breaking.cannot_start(node, steps)
                await breaking.vanish(node, steps, tills)
                await breaking.kill(node, steps, tills)
            with steps.step("the replay has reconciled"):
                report = await tills.finish()
            self._judge(node, report)
            with steps.step("audits"):
                await self._audit(node, whole=whole)
            if whole:
                password = self._brought["Secret", "postgres"]["password"]
                await breaking.alter(node, steps, self._tills("altered", ALTERED_SECONDS), password)
            pods = {
                pod: f"exit code {end.code} after {end.seconds} s"
                for workload in node.workloads.values()
                for pod, end in workload.gone.items()
            }
        return {
            "seconds": round(time.monotonic() - started, 1),
            "steps": steps.seconds,
            "pods": pods,
            "replay": report,
            "faults": steps.faults,
        }

    async def _start(self, node: Node) -> None:
        """What an operator waits for in this order; `kubectl apply` starts all at once and gets there too."""
        with self._steps.step("Postgres, Kafka and the mail sink are ready"):
            parts = [node.start("StatefulSet", name) for name in self._objects.names("StatefulSet")]
            deployed = self._objects.names("Deployment")
            ours = [name for name in deployed if name.partition("-")[0] in SERVICES]
            parts += [node.start("Deployment", name) for name in deployed if name not in ours]
            await asyncio.gather(*(part.ready() for part in parts))
        jobs = self._objects.names("Job")
        migrations = [name for name in jobs if name.partition("-")[0] in SERVICES]
        with self._steps.step("databases, roles and topics are made"):
            for name in jobs:
                if name not in migrations:
                    await node.job(name, self._objects["Job", name]["spec"])
        with self._steps.step("databases are migrated"):
            await asyncio.gather(*(node.job(name, self._objects["Job", name]["spec"]) for name in migrations))
        with self._steps.step("every service is ready"):
            services = [node.start("Deployment", name) for name in ours]
            await asyncio.gather(*(one.ready() for one in services))
        for name in SERVICES:
            pods = {pod.address for pod in node.workloads[f"{name}-serve"].pods}
            await node.published(name, pods)

    async def _disturb(self, node: Node, tills: Tills, *, whole: bool) -> None:
        """Roll and scale while it sells."""
        rolled = [name for name in node.workloads if name.partition("-")[0] in SERVICES]
        for name in rolled if whole else ROLLED:
            with self._steps.step(f"{name} is rolled"):
                await node.workloads[name].roll()
            await tills.sold(FEW)
        scaled = node.workloads[SCALED]
        with self._steps.step(f"{SCALED} is scaled to {MOST}"):
            await scaled.scale(MOST)
        await tills.sold(MANY)
        with self._steps.step(f"{SCALED} is scaled back"):
            await scaled.scale(1)
            await asyncio.gather(*(one.quiet() for one in node.workloads.values()))
        await tills.sold(FEW)
        self._all_went_in_order(node)

    def _all_went_in_order(self, node: Node) -> None:
        for workload in node.workloads.values():
            for pod, end in workload.gone.items():
                if end.code or end.forced:
                    how = "by force" if end.forced else f"with exit code {end.code}"
                    self._steps.faults.append(f"{pod} ended {how} after {end.seconds} s")

    def _judge(self, node: Node, report: dict[str, Any]) -> None:
        """The books, the calls, the mails, and that no container was started a second time."""
        self._steps.faults += [f"a call failed for good: {failure}" for failure in report["failed"]]
        self._steps.faults += report["differences"]
        found = Found(mails=report["mails"])
        box = Mailbox(next((self._folder / "claims").rglob("index.tsv")).parent)
        mails, repeats = compare_mails(found, box)
        report["mails"], report["mails_repeated"] = mails, repeats
        self._steps.faults += found.differences
        for workload in node.workloads.values():
            for pod in workload.pods:
                self._steps.faults += [f"{pod.name} was started again: {why}" for why in pod.restarts]

    async def _audit(self, node: Node, *, whole: bool) -> None:
        """Run the CronJobs once, as they are at night."""
        names = [name for name in self._objects.names("CronJob") if name.endswith("-audit")]
        for name in names if whole else names[:1]:
            try:
                await node.job(name, self._objects["CronJob", name]["spec"]["jobTemplate"]["spec"])
            except PartFailed as error:
                self._steps.faults.append(str(error))
