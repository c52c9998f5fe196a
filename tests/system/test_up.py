"""`make up` as a person sees it: where each part listens, a clean end, and one sentence when a part dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kit.testing import eventually
from local.monitoring import RULES
from local.services import SERVICES
from local.settings import ROOT, LocalSettings


@pytest.fixture
def up(stack_settings: LocalSettings, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A running `python -m local up`, and the file with what it printed."""
    printed = tmp_path / "printed"
    env = {
        **os.environ,
        "LOCAL_HOME": str(stack_settings.home),
        "LOCAL_BASE_PORT": str(stack_settings.base_port),
        "COLUMNS": "200",
    }
    with printed.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "up"], cwd=ROOT, env=env, stdout=output, stderr=output, text=True
        )
    yield process, printed
    process.send_signal(signal.SIGTERM)
    process.wait(60)


async def test_up_says_where_all_listen_and_ends_clean(
    up: tuple[subprocess.Popen[str], Path], stack_settings: LocalSettings
) -> None:
    process, printed = up
    await eventually(lambda: "Ctrl-C" in printed.read_text(), within=90)
    ports = stack_settings.ports
    listening = [*ports.grpc.values(), *ports.http.values(), ports.postgres, ports.kafka, ports.smtp]
    assert [port for port in listening if f"127.0.0.1:{port}" not in printed.read_text()] == []
    installed = shutil.which("prometheus") is not None
    if installed:
        await eventually(lambda: watched(ports.prometheus) == set(SERVICES), within=30, every=0.5)
    else:
        assert "not started: not installed" in printed.read_text()
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 7 + installed + len(postgres_workers(children))
    assert operated(stack_settings, "credit", "parked", "list") == (0, "")
    code, said = operated(stack_settings, "credit", "rewind", "--to", "2026-01-01T00:00:00Z")
    assert (code, "stop the workers, then rewind" in said) == (1, True), said
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert [child for child in children if child.is_running()] == []


def operated(settings: LocalSettings, *arguments: str) -> tuple[int, str]:
    """Run an operator's command as a person does: (exit code, what it said)."""
    env = {**os.environ, "LOCAL_HOME": str(settings.home), "LOCAL_BASE_PORT": str(settings.base_port)}
    command = [sys.executable, "-m", "local", "operate", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_a_service_that_dies_stops_all_and_is_named(up: tuple[subprocess.Popen[str], Path]) -> None:
    process, printed = up
    await eventually(lambda: "Ctrl-C" in printed.read_text(), within=90)
    children = psutil.Process(process.pid).children(recursive=True)
    next(child for child in children if "loyalty" in child.cmdline()).kill()
    assert process.wait(60) == 1
    assert "Loyalty was killed by SIGKILL; its log is " in printed.read_text()
    assert [child for child in children if child.is_running()] == []


def watched(port: int) -> set[str]:
    """The services that Prometheus reads, whose every rule it can evaluate."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=5) as answer:
        groups = json.load(answer)["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    assert {Path(group["file"]).name for group in groups} == {path.name for path in RULES.glob("*.yaml")}
    query = "up%7Brole%3D%22all%22%7D%20%3D%3D%201"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as answer:
        return {one["metric"]["service"] for one in json.load(answer)["data"]["result"]}


def postgres_workers(children: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that Postgres itself started."""
    return [child for child in children if child.cmdline() and child.cmdline()[0].startswith("postgres: ")]
