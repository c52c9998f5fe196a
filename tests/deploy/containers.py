"""Runs images as a node would: read-only, as 10001, without a capability, in a pod's network.

The containers of a `Pod` share a network of their own, as in Kubernetes, so fixed ports are free and nothing
outside is within reach. runc runs them; buildah gives their root file systems.
"""

import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kit.testing.eventually import eventually

USER = 10001
HOSTNAME = "image-test"
SHELLS = ("bin/sh", "bin/bash", "bin/dash")
SLEEPER = "import signal; signal.sigwait({signal.SIGTERM})"


def buildah(*arguments: str) -> str:
    """What buildah prints."""
    environment = {"BUILDAH_ISOLATION": "chroot", **os.environ}
    done = subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Image:
    """An image in buildah's store: its configuration, and its files."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.described: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", name))
        self.config: dict[str, Any] = self.described["OCIv1"]["config"]
        self._container = buildah("from", "--pull-never", name)
        self.root = Path(buildah("mount", self._container))

    def remove(self) -> None:
        """Give the files back."""
        buildah("rm", self._container)


class Container:
    """One container of a pod, running or ended; `log` is what it has written."""

    def __init__(
        self, pod: "Pod", image: Image, args: Sequence[str], env: Mapping[str, str], data: Path | None
    ):
        self.name = f"image-test-{uuid.uuid4().hex[:12]}"
        self._bundle = pod.home / self.name
        self._bundle.mkdir()
        (self._bundle / "config.json").write_text(json.dumps(specification(pod, image, args, env, data)))
        with (self._bundle / "log").open("wb") as output:
            self._process = subprocess.Popen(
                ["runc", "run", "--bundle", str(self._bundle), self.name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._bundle / "log").read_text(errors="replace")

    def pid(self) -> int:
        """Its first process, as this machine counts; 0 until it runs."""
        done = subprocess.run(["runc", "state", self.name], capture_output=True, text=True, check=False)
        state = json.loads(done.stdout) if done.returncode == 0 else {}
        return int(state["pid"]) if state.get("status") == "running" else 0

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to its first process and wait until all of it is gone; the exit code."""
        subprocess.run(["runc", "kill", self.name, number.name], capture_output=True, check=False)
        return self.wait()

    def wait(self, seconds: float = 60) -> int:
        """Wait until it ends by itself; the exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended after {seconds} s; its log:\n{self.log}") from None

    def ask(self, *python: str) -> subprocess.CompletedProcess[str]:
        """Run Python inside, as an exec probe does."""
        command = ["runc", "exec", self.name, "python", "-c", *python]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


class Pod:
    """Containers that share a network; `hosts` are names that lead into it."""

    def __init__(self, home: Path, image: Image, hosts: Sequence[str]) -> None:
        self.home, self._image = home, image
        self.containers: list[Container] = []
        self.network: int | None = None  # the process whose network it is
        self.move("127.0.0.1", hosts)

    def move(self, address: str, hosts: Sequence[str]) -> None:
        """Let the names lead to another address, as after a pod was made again."""
        (self.home / "hosts").write_text(
            "".join(f"{address} {name}\n" for name in ("localhost", HOSTNAME, *hosts))
        )

    async def start(self) -> None:
        """Make the network, held by a process that sleeps."""
        sleeper = self.run(self._image, ["-c", SLEEPER], entrypoint=["python"])
        self.network = await eventually(sleeper.pid, within=20)
        self.sleeper = sleeper

    def run(
        self,
        image: Image,
        args: Sequence[str],
        env: Mapping[str, str] | None = None,
        data: Path | None = None,
        entrypoint: Sequence[str] | None = None,
    ) -> Container:
        """Start a container with the image's own entry point."""
        command = [*(image.config["Entrypoint"] if entrypoint is None else entrypoint), *args]
        container = Container(self, image, command, env or {}, data)
        self.containers.append(container)
        return container

    def stop(self) -> None:
        """End whatever still runs."""
        for container in reversed(self.containers):
            container.end(signal.SIGKILL)


def specification(
    pod: Pod, image: Image, args: Sequence[str], env: Mapping[str, str], data: Path | None
) -> dict[str, Any]:
    """What runc is told: the pod that Pod Security `restricted` lets in, with a read-only root besides."""
    user, _, group = image.config["User"].partition(":")
    writable = ["nosuid", "nodev", "mode=1777"]
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*writable, "size=64m"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": writable},
        bound(pod.home / "hosts", "/etc/hosts", "ro"),
    ]
    if data is None:  # whoever would start a shell fails; of all that runs, only initdb needs one
        shells = [name for name in SHELLS if (image.root / name).exists()]
        mounts += [bound(Path("/dev/null"), f"/usr/{name}", "ro") for name in shells]
    else:
        os.chown(data, USER, USER)
        mounts.append(bound(data, "/data", "rw"))
    network = {"path": f"/proc/{pod.network}/ns/net"} if pod.network else {}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": int(user), "gid": int(group)},
            "args": list(args),
            "env": [*image.config["Env"], *(f"{name}={value}" for name, value in env.items())],
            "cwd": image.config.get("WorkingDir") or "/",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(image.root), "readonly": True},
        "hostname": HOSTNAME,
        "mounts": mounts,
        "linux": {
            "namespaces": [
                {"type": "network", **network},
                *({"type": t} for t in ("pid", "mount", "ipc", "uts")),
            ]
        },
    }


def bound(source: Path, destination: str, mode: str) -> dict[str, Any]:
    """A bind mount."""
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["bind", mode]}


def missing() -> str:
    """Why images cannot be built and run here; empty: they can."""
    programs = [name for name in ("buildah", "runc") if shutil.which(name) is None]
    if programs:
        return f"needs {' and '.join(programs)} (Debian packages)"
    return "" if os.geteuid() == 0 else "needs root"
