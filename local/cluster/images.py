"""Builds the images of a source tree and loads them into the cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local.cluster.failed import Failed
from local.cluster.settings import ClusterSettings
from local.services import SERVICES

IMAGES = (*SERVICES, "parts", "tills")
BUILD_SECONDS, LOAD_SECONDS = 1800.0, 300.0


def build(tree: Path, out: Path, tag: str, names: Sequence[str]) -> list[Path]:
    """Build images with the tree's own script; the archive of each."""
    # A copy of the tree has no environment of its own; ours has what the script asks of Python.
    env = {"TAG": tag, "OUT": str(out), "PYTHON": os.environ.get("PYTHON", sys.executable)}
    _run([str(tree / "deploy" / "images" / "build"), *names], BUILD_SECONDS, env)
    return [archive(out, name, tag) for name in names]


def archive(out: Path, name: str, tag: str) -> Path:
    """Where the build script puts an image's archive."""
    return out / f"{name}-{tag}.tar"


def load(settings: ClusterSettings, archives: Sequence[Path], say: Callable[[str], None]) -> None:
    """Load archives with the command of the settings."""
    for one in archives:
        if not one.exists():
            raise Failed(f"there is no archive {one}")
        started = time.monotonic()
        _run(settings.command(settings.load, tar=one), LOAD_SECONDS, {})
        say(f"loaded {one.name} ({one.stat().st_size >> 20} MB) in {time.monotonic() - started:.0f} s")


def _run(command: Sequence[str], seconds: float, env: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Failed(f"{' '.join(command[:3])}: {(done.stderr or done.stdout).strip()[-1500:]}")
