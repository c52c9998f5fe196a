"""A part of the stack: one child process with a log, a port of its own, and a plain word when it fails."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_TAIL = 12  # lines of a part's log that are shown when it fails


class PartFailed(Exception):
    """A part did not start or died; the message is one sentence, followed by the last lines of its log."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        self.sentence = sentence
        self.log_tail = tail(log) if log else []
        super().__init__("\n".join([sentence, *(f"  {line}" for line in self.log_tail)]))


def tail(log: Path, lines: int = LOG_TAIL) -> list[str]:
    """The last lines of a log, of its last 64 KB."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65536))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def check_port(name: str, port: int) -> None:
    """Raise PartFailed when something else has the part's port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PartFailed(
                f"{name} cannot start: port {port} is taken by another program; "
                "stop that one, or choose other ports with LOCAL_BASE_PORT."
            ) from error


class Part:
    """A child process: started, waited for until ready, watched, stopped."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ports: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._ports = list(ports)
        self._env = env
        self._cwd = cwd
        self._user = user
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process, from the main thread: the child ends with the thread that made it."""
        for port in self._ports:
            check_port(self.name, port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        launch = [sys.executable, "-E", "-S", str(LAUNCHER), str(os.getpid()), str(int(self._stop_signal))]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*launch, self._user or "-", *self._command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self._env) if self._env is not None else dict(os.environ),
                cwd=self._cwd,
                # A group of its own: Ctrl-C reaches the supervisor alone, which then stops us in order.
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise PartFailed when the process has ended."""
        if self._process is None:
            raise PartFailed(f"{self.name} was not started.")
        code = self._process.poll()
        if code is not None:
            how = (
                f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            )
            raise PartFailed(f"{self.name} {how}; its log is {self.log}, which ends:", self.log)

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Block until `ready()`; raise PartFailed when the process ends first or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise PartFailed(
                    f"{self.name} was not ready after {seconds:.0f} s; its log is {self.log}, which ends:",
                    self.log,
                )
            time.sleep(0.05)

    def wait(self) -> int:
        """Block until the process ends by itself; its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self, seconds: float = 30) -> int | None:
        """Ask the process to stop, kill it when it has not after that time; its exit code."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            self.send(self._stop_signal)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return process.wait()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self.send(signal.SIGKILL)
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process is gone already."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
