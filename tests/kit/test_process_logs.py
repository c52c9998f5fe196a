"""Every line that a process writes to its log is one JSON object, whoever writes it and however it ends."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kit import logs
from kit.settings import ServiceSettings
from kit.testing import eventually
from kit.testing.plugin import NewDatabase

NOISY = Path(__file__).with_name("noisy_service.py")
SECRET = "rahasia"


async def started(log: Path, role: str = "all", **env: str) -> asyncio.subprocess.Process:
    """Start the noisy service with its log in a file."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, str(NOISY), role, env=os.environ | env, stdout=output, stderr=output
        )


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Parse every line; one that is no JSON object fails."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        assert {"event", "level", "timestamp", "service"} <= line.keys(), line
    return lines


async def test_stray_lines_and_lost_failures_are_json_lines_without_personal_data(
    tmp_path: Path, new_database: NewDatabase, kafka_bootstrap: str
) -> None:
    log = tmp_path / "log"
    process = await started(log, DATABASE_URL=await new_database(None), KAFKA_BOOTSTRAP=kafka_bootstrap)
    await eventually(lambda: "sweep_failed" in log.read_text() and '"started"' in log.read_text(), within=20)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    lines = lines_of(log)
    events = [line["event"] for line in lines]
    assert {"started", "thread_failed", "unraisable", "sweep_failed", "stopped"} <= set(events)
    for said in (
        "a warning\nin two lines",
        "a stray line of [phone]\nin two lines",
        "no broker at kafka:9092",
        "Task exception",
        "Exception in callback",
    ):
        assert sum(said in event for event in events) == 1, (said, events)
    traced = [line["exception"] for line in lines if "exception" in line]
    assert sum("told to [email],\nin two lines" in text for text in traced) == 4
    assert {line["service"] for line in lines} == {"noisy"}


async def test_wrong_settings_are_named_in_one_line_that_keeps_their_secrets(tmp_path: Path) -> None:
    url = f"postgresql://postgres:{SECRET}@localhost/x"
    process = await started(tmp_path / "log", DATABASE_URL=url, GRPC_PORT=SECRET, LOG_LEVEL="LOUD")
    assert await asyncio.wait_for(process.wait(), 20) == 1
    (line,) = lines_of(tmp_path / "log")
    assert line["event"] == "cannot_start"
    assert line["why"].startswith("GRPC_PORT: ")
    assert "; LOG_LEVEL: " in line["why"]
    assert SECRET not in (tmp_path / "log").read_text()


def test_a_line_that_is_repeated_all_the_time_says_later_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    calm, at = logs.Calm(), 100.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: at)

    def written(node: int) -> str:
        line = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no way to node %s", (node,), None)
        return line.getMessage() if calm.filter(line) else ""

    assert [written(1), written(1), written(2), written(1)] == [
        "no way to node 1",
        "",
        "no way to node 2",
        "",
    ]
    at += 11
    assert written(1) == "no way to node 1 (left out 2 times)"
    assert written(2) == "no way to node 2"


@pytest.mark.parametrize(
    "password", [f"{SECRET}/x", f"{SECRET}#x", f"{SECRET} x", f"{SECRET}%zz", f"{SECRET}?x"]
)
def test_a_database_url_that_others_would_quote_in_an_error_is_refused_by_us(password: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ServiceSettings(database_url=f"postgresql://u:{password}@127.0.0.1:5432/credit")
    (error,) = refused.value.errors(include_input=False)
    assert error["loc"] == ("database_url",)
    assert "special characters" in error["msg"]
    assert SECRET not in error["msg"]
    for good in (
        "postgresql://u:%2F%23x@[::1]:5432/db?sslmode=disable",
        "postgresql:///db?host=/run/postgresql",
    ):
        assert ServiceSettings(database_url=good).database_url == good


async def test_a_crash_at_the_start_is_one_line_with_its_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await started(tmp_path / "log", "work", DATABASE_URL="postgresql://x", HTTP_PORT=port)
        assert await asyncio.wait_for(process.wait(), 20) == 1
    (line,) = lines_of(tmp_path / "log")
    assert (line["event"], line["error"]) == ("crashed", "OSError")
    assert "Traceback" in line["exception"]
