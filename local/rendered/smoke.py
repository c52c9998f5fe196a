"""What is done to the rendered overlay: start as an operator would, sell, roll, scale, kill, reconcile."""

from __future__ import annotations

import asyncio
import copy
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.brought import brought
from local.demo.compare.found import Found
from local.demo.report import compare_mails
from local.mailsink import Mailbox
from local.manifests import Object, render
from local.part import PartFailed, tail
from local.rendered.network import DOMAIN
from local.rendered.node import Node, Workload
from local.rendered.objects import NotStartable, Objects
from local.services import SERVICES
from local.tokens import Keys, service_subject

SCALED, MOST = "customers-work", 3
SAMPLE, TILLS = 1_800, 8  # baskets to choose from, about 60 a customer
SELLING_SECONDS, REPLAY_SECONDS = 60.0, 180.0  # until it sells; from the stop until it has reconciled
BROKEN_SECONDS = 15.0  # in which a pod that cannot start has had every chance
FEW, MANY = 10, 40  # sales between two steps
POLL_SECONDS = 0.1


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


class Smoke:
    """One run; `faults` is what was not as it must be."""

    def __init__(self, overlay: Path, folder: Path, rate: float) -> None:
        self._folder, self._rate = folder, rate
        keys = self._keys = Keys(folder / "keys")
        rendered = render(overlay)
        self._issuer = next(
            one["data"]["CLUSTER_ISSUER"]
            for one in rendered
            if one["kind"] == "ConfigMap" and "CLUSTER_ISSUER" in (one.get("data") or {})
        )
        self._objects = Objects(
            rendered, brought(keys.jwks.read_text(), keys.cluster_jwks.read_text()), self._token
        )
        self.faults: list[str] = []
        self.steps: dict[str, float] = {}

    def _token(self, account: str, audience: str, seconds: int) -> str:
        subject = service_subject(account)
        return self._keys.cluster(subject, seconds / 3600, issuer=self._issuer, audience=audience)

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        started = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - started, 1)
        say(f"{name}: {self.steps[name]} s")

    async def run(self, *, whole: bool) -> dict[str, Any]:
        """Do all of it; raise PartFailed where it cannot go on."""
        started = time.monotonic()
        async with Node(self._objects, self._folder) as node:
            await self._start(node)
            async with self._replay(node) as replay:
                await self._disturb(node, whole=whole)
                if whole:
                    await self._break(node)
            report = await replay
            self._judge(node, report)
            async with self._step("audits"):
                await self._audit(node, whole=whole)
            pods = {
                pod: f"exit code {end.code} after {end.seconds} s"
                for workload in node.workloads.values()
                for pod, end in workload.gone.items()
            }
        return {
            "seconds": round(time.monotonic() - started, 1),
            "steps": self.steps,
            "pods": pods,
            "replay": report,
            "faults": self.faults,
        }

    async def _start(self, node: Node) -> None:
        """What an operator waits for in this order; `kubectl apply` starts all at once and gets there too."""
        async with self._step("Postgres, Kafka and the mail sink are ready"):
            parts = [node.start("StatefulSet", name) for name in self._objects.names("StatefulSet")]
            deployed = self._objects.names("Deployment")
            ours = [name for name in deployed if name.partition("-")[0] in SERVICES]
            parts += [node.start("Deployment", name) for name in deployed if name not in ours]
            await asyncio.gather(*(part.ready() for part in parts))
        jobs = self._objects.names("Job")
        migrations = [name for name in jobs if name.partition("-")[0] in SERVICES]
        async with self._step("databases, roles and topics are made"):
            for name in jobs:
                if name not in migrations:
                    await node.job(name, self._objects["Job", name]["spec"])
        async with self._step("databases are migrated"):
            await asyncio.gather(*(node.job(name, self._objects["Job", name]["spec"]) for name in migrations))
        async with self._step("every service is ready"):
            services = [node.start("Deployment", name) for name in ours]
            await asyncio.gather(*(one.ready() for one in services))

    @asynccontextmanager
    async def _replay(self, node: Node) -> AsyncIterator[asyncio.Future[dict[str, Any]]]:
        """Sell until the block ends; the report is there when it has reconciled."""
        await asyncio.gather(
            *(
                node.published(name, {pod.address for pod in node.workloads[f"{name}-serve"].pods})
                for name in SERVICES
            )
        )
        files = {name: self._folder / f"replay.{name}" for name in ("stop", "journal", "report", "log")}
        wanted = {
            "--target": f"dns:///{{service}}.{DOMAIN}:7000",
            "--keys": self._keys.folder,
            "--rate": self._rate,
            "--tills": TILLS,
            "--sample": SAMPLE,
            **{
                f"--{name}{'-file' * (name == 'stop')}": files[name] for name in ("stop", "journal", "report")
            },
        }
        with files["log"].open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local.replay"),
                *(str(word) for pair in wanted.items() for word in pair),
                stdout=output,
                stderr=output,
            )
        done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        ended = asyncio.create_task(process.wait())
        async with self._step("the first sales"):
            deadline = time.monotonic() + SELLING_SECONDS
            while not (files["journal"].exists() and files["journal"].stat().st_size):
                if ended.done() or time.monotonic() > deadline:
                    raise PartFailed("The replay does not sell; its log ends:", files["log"])
                await asyncio.sleep(POLL_SECONDS)
        yield done
        async with self._step("the replay has reconciled"):
            files["stop"].touch()
            await asyncio.wait([ended], timeout=REPLAY_SECONDS)
        for line in tail(files["log"], 6):
            say(f"replay: {line}")
        if not files["report"].exists():
            raise PartFailed("The replay gave no report; its log ends:", files["log"])
        done.set_result(json.loads(files["report"].read_text()))

    async def _disturb(self, node: Node, *, whole: bool) -> None:
        """Roll and scale while it sells."""
        rolled = [name for name in node.workloads if name.partition("-")[0] in SERVICES]
        for name in rolled if whole else ("customers-serve", "credit-work"):
            async with self._step(f"{name} is rolled"):
                await node.workloads[name].roll()
            await self._sold(FEW)
        scaled = node.workloads[SCALED]
        async with self._step(f"{SCALED} is scaled to {MOST}"):
            await scaled.scale(MOST)
        await self._sold(MANY)
        async with self._step(f"{SCALED} is scaled back"):
            await scaled.scale(1)
            await asyncio.gather(*(one.quiet() for one in node.workloads.values()))
        await self._sold(FEW)
        self._all_went_in_order(node)

    async def _sold(self, more: int) -> None:
        """Wait until the tills have been answered so many times more."""
        before, deadline = self._answered(), time.monotonic() + SELLING_SECONDS
        while self._answered() < before + more:
            if time.monotonic() > deadline:
                raise PartFailed("The replay sells no more; its log ends:", self._folder / "replay.log")
            await asyncio.sleep(POLL_SECONDS)

    def _answered(self) -> int:
        return (self._folder / "replay.journal").read_bytes().count(b"\n")

    def _all_went_in_order(self, node: Node) -> None:
        for workload in node.workloads.values():
            for pod, end in workload.gone.items():
                if end.code or end.forced:
                    how = "by force" if end.forced else f"with exit code {end.code}"
                    self.faults.append(f"{pod} ended {how} after {end.seconds} s")

    async def _break(self, node: Node) -> None:
        """What must be seen: a pod that cannot start leaves the old one serving, and says why."""
        credit = node.workloads["credit-serve"]
        before = {pod.address for pod in credit.pods}
        good = credit.template

        def container(template: Object) -> Object:
            found: Object = template["spec"]["containers"][0]
            return found

        wrong = copy.deepcopy(good)
        container(wrong)["readinessProbe"]["grpc"]["port"] += 100
        await self._must_not_start(credit, "a wrong probe port", wrong, "started")
        wrong = copy.deepcopy(good)
        container(wrong)["env"] = []
        await self._must_not_start(credit, "a missing setting", wrong, "database_url")
        wrong = copy.deepcopy(good)
        container(wrong)["env"][0]["valueFrom"]["secretKeyRef"]["name"] = "nobody-has-made-it"
        try:
            await credit.roll(wrong)
        except NotStartable as error:
            say(f"a missing secret: {error}")
        else:
            self.faults.append("a pod started without its secret")
        credit.template = good
        await node.published("credit", before)
        await credit.quiet()
        async with self._step("one of two pods of credit-serve vanishes without a goodbye"):
            await credit.scale(2)
            await node.published("credit", {pod.address for pod in credit.pods})
            await self._sold(FEW)
            gone = credit.pods[0]
            gone.cut()
            await node.published("credit", {credit.pods[1].address})
            await self._sold(MANY)
            credit.end(gone, force=True)
            await credit.quiet()
        for name in ("credit-serve", "loyalty-work", "kafka", "postgres"):
            async with self._step(f"{name} is killed with no grace and back"):
                victim = node.workloads[name]
                victim.end(victim.pods[0], force=True)
                await victim.quiet()
                victim.add()
                await asyncio.gather(*(one.ready() for one in node.workloads.values()))

    async def _must_not_start(self, workload: Workload, what: str, template: Object, saying: str) -> None:
        try:
            await workload.roll(template, BROKEN_SECONDS)
        except PartFailed as error:
            said = [line for line in error.log_tail if saying in line.lower()]
            say(f"{what}: {said[-1][:160] if said else error}")
            if not said:
                self.faults.append(f"with {what} the pod's log does not say {saying!r}")
        else:
            self.faults.append(f"with {what} a pod became ready")

    def _judge(self, node: Node, report: dict[str, Any]) -> None:
        """The books, the calls, the mails, and that no container was started a second time."""
        self.faults += [f"a call failed for good: {failure}" for failure in report["failed"]]
        self.faults += report["differences"]
        found = Found(mails=report["mails"])
        box = Mailbox(next((self._folder / "claims").rglob("index.tsv")).parent)
        mails, repeats = compare_mails(found, box)
        report["mails"], report["mails_repeated"] = mails, repeats
        self.faults += found.differences
        for workload in node.workloads.values():
            for pod in workload.pods:
                self.faults += [f"{pod.name} was started again: {why}" for why in pod.restarts]

    async def _audit(self, node: Node, *, whole: bool) -> None:
        """Run the CronJobs once, as they are at night."""
        names = [name for name in self._objects.names("CronJob") if name.endswith("-audit")]
        for name in names if whole else names[:1]:
            try:
                await node.job(name, self._objects["CronJob", name]["spec"]["jobTemplate"]["spec"])
            except PartFailed as error:
                self.faults.append(str(error))
