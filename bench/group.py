"""One scheduling group for all processes of a run.

Linux shares a core first among sessions (autogroup) and then within each. Every part of the stack and every
Postgres backend is a session of its own, the load generator and the echo server are one with their parent: on
a machine that does other things as well, G would be measured with less waiting than T. In a control group of
ours all of them count as equals.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_MOUNTS, _MINE = Path("/proc/mounts"), Path("/proc/self/cgroup")


def _ours() -> Iterator[Path]:
    """Our groups that share the CPU: of cgroup 1 with its cpu controller, or of cgroup 2."""
    mine = dict(line.split(":", 2)[1:] for line in _MINE.read_text().splitlines())
    for line in _MOUNTS.read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        controllers = options.split(",") if kind == "cgroup" else [""] if kind == "cgroup2" else []
        for names, group in mine.items():
            is_cpu = "cpu" in names.split(",") if kind == "cgroup" else names == ""
            if is_cpu and set(names.split(",")) <= set(controllers):
                yield Path(folder) / group.lstrip("/")


@contextlib.contextmanager
def one_group() -> Iterator[bool]:
    """Be in a group of our own, with all that we start; False where we may not make one."""
    for outer in _ours():
        group = outer / f"langganan-bench-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            (group / "cgroup.procs").write_text(str(os.getpid()))
            break
    else:
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # somebody of ours is still on the way out
            (outer / "cgroup.procs").write_text(str(os.getpid()))
            group.rmdir()
