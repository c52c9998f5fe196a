"""One pod: namespaces of its own, a process, its probes, its restarts, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local.part import tail
from local.rendered.network import RESOLV_CONF, Addresses
from local.rendered.objects import Probe, Spec, Volume
from local.rendered.probes import passes
from local.settings import ROOT

CONTAINER = Path(__file__).with_name("container.py")
BIN = Path(sys.executable).parent
# As the Dockerfiles say it; the path stands for their langganan.pth.
IMAGE_ENV = {
    "PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": str(ROOT),
}
BACK_OFF = 10.0  # seconds before a container that ended is started again, longer each time


@dataclass(frozen=True)
class End:
    """How the last container of a pod ended: exit code, seconds since it was told to, whether by force."""

    code: int
    seconds: float
    forced: bool


class Pod:
    """Starts at once; `ready` follows the readiness probe; `delete` ends it. `again`: it is no Job's."""

    def __init__(
        self, name: str, spec: Spec, folder: Path, addresses: Addresses, claims: Path, *, again: bool = True
    ) -> None:
        self.name, self.spec, self._again = name, spec, again
        self.ready, self.deleting = False, False
        self.restarts: list[str] = []
        self.lapses = 0  # times that a ready container was not ready any more, though nobody ended it
        self.log = folder / f"{name}.log"
        self._folder, self._addresses, self._claims = folder / name, addresses, claims
        self._folder.mkdir(parents=True)
        self.address = addresses.take(name)
        self._process: asyncio.subprocess.Process | None = None
        self._why = ""
        self._write()
        self._running = asyncio.create_task(self._run(), name=name)

    def _write(self) -> None:
        """Write volumes and what the container is told; secrets are readable by the pod's group alone."""
        spec, here = self.spec, self._folder
        mounts = [self._mount(volume) for volume in spec.volumes]
        cache = os.environ.get("LOCAL_CACHE", str(ROOT / ".cache"))
        # The image: this environment, where it lies, whatever volume is mounted above it.
        for part in dict.fromkeys((str(ROOT), sys.prefix, sys.base_prefix, cache)):
            mounts.append((part, part, True))
        passwd = f"root:x:0:0::/:/bin/sh\nlangganan:x:{spec.user}:{spec.group}::/nonexistent:/bin/sh\n"
        told = {
            "root": str(here / "root"),
            "argv": spec.argv,
            "env": {**IMAGE_ENV, "LOCAL_CACHE": cache, "HOSTNAME": self.name, **spec.env},
            "mounts": mounts,
            "files": {
                "/etc/passwd": passwd,
                "/etc/group": f"root:x:0:\nlangganan:x:{spec.group}:\n",
                "/etc/hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n",
                "/etc/resolv.conf": RESOLV_CONF,
            },
            "read_only_root": spec.read_only_root,
            "user": spec.user,
            "group": spec.group,
            "groups": spec.groups,
        }
        file = here / "spec.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(told))

    def _mount(self, volume: Volume) -> tuple[str, str, bool]:
        spec = self.spec
        source = self._claims / volume.claim if volume.claim else self._folder / "volumes" / volume.name
        source.mkdir(parents=True, exist_ok=True)
        for name, text in (volume.files or {}).items():
            (source / name).write_text(text)
            (source / name).chmod(0o440)
            os.chown(source / name, 0, spec.groups[0] if spec.groups else 0)
        if volume.files is None:
            os.chown(source, spec.user, spec.group)
        return str(source), volume.path, volume.read_only

    async def _run(self) -> int:
        """Start the container, again when it ends by itself; the exit code of the last one."""
        while True:
            with self.log.open("ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *("nsenter", f"--net=/run/netns/{self.name}"),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                    *(sys.executable, "-E", "-S", str(CONTAINER), str(self._folder / "spec.json")),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={"PATH": IMAGE_ENV["PATH"]},
                )
            probing = asyncio.create_task(self._probe())
            code = await self._process.wait()
            probing.cancel()
            self.ready = False
            if self.deleting or not self._again:
                return code
            self.restarts.append(self._why or f"exit code {code}")
            self._why = ""
            await asyncio.sleep(BACK_OFF * len(self.restarts))

    async def _probe(self) -> None:
        """The startup probe first; then readiness and liveness until the container ends."""
        startup = self.spec.probes.get("startup")
        if startup and not await self._succeeds(startup):
            await self._restart("startup probe failed")
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_readiness())
            group.create_task(self._watch_liveness())

    async def _succeeds(self, probe: Probe) -> bool:
        await asyncio.sleep(probe.delay)
        for _ in range(probe.failures):
            if await passes(probe, self.address):
                return True
            await asyncio.sleep(probe.period)
        return False

    async def _watch_readiness(self) -> None:
        probe = self.spec.probes.get("readiness")
        if probe is None:
            self.ready = True
            return
        await asyncio.sleep(probe.delay)
        failed = 0
        while True:
            if await passes(probe, self.address):
                failed, self.ready = 0, True
            elif (failed := failed + 1) >= probe.failures:
                self.lapses += self.ready and not self.deleting
                self.ready = False
            await asyncio.sleep(probe.period)

    async def _watch_liveness(self) -> None:
        probe = self.spec.probes.get("liveness")
        if probe is None:
            return
        await asyncio.sleep(probe.delay)
        failed = 0
        while failed < probe.failures:
            failed = 0 if await passes(probe, self.address) else failed + 1
            await asyncio.sleep(probe.period)
        await self._restart("liveness probe failed")

    async def _restart(self, why: str) -> None:
        if not self.deleting:
            self._why = why
            await self._stop_process()

    def cut(self) -> None:
        """Leave it running and out of reach."""
        self._addresses.cut(self.name)

    async def delete(self) -> End:
        """Leave the Service at once; preStop, SIGTERM, and SIGKILL when the grace is over."""
        self.deleting = True
        started = time.monotonic()
        await asyncio.sleep(self.spec.stop_sleep)
        forced = await self._stop_process(self.spec.grace - self.spec.stop_sleep)
        return await self._ended(started, forced)

    async def kill(self) -> End:
        """End it with no grace, as `kubectl delete --grace-period=0 --force` does."""
        self.deleting, started = True, time.monotonic()
        self.send(signal.SIGKILL)
        return await self._ended(started, forced=True)

    async def _ended(self, started: float, forced: bool) -> End:
        process = self._process
        if process is None or process.returncode is not None:
            self._running.cancel()  # it waits to be started again
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        code = process.returncode if process and process.returncode is not None else 1
        self._addresses.give_back(self.name)
        shutil.rmtree(self._folder / "volumes", ignore_errors=True)
        return End(code, round(time.monotonic() - started, 1), forced)

    async def _stop_process(self, seconds: float | None = None) -> bool:
        """SIGTERM, and SIGKILL after the grace; whether that was needed."""
        assert self._process is not None
        self.send(signal.SIGTERM)
        waiting = asyncio.ensure_future(self._process.wait())
        await asyncio.wait([waiting], timeout=self.spec.grace if seconds is None else seconds)
        if waiting.done():
            return False
        self.send(signal.SIGKILL)
        await waiting
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal to process 1 of the container."""
        if self._process is None or self._process.returncode is not None:
            return
        pid = self._process.pid
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), number)

    async def wait(self) -> int:
        """Wait until the container of a Job has ended by itself; its exit code."""
        return await asyncio.shield(self._running)

    def said(self, lines: int = 12) -> list[str]:
        """The last lines of its log."""
        return tail(self.log, lines)
