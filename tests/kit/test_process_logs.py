"""Every line that a process writes to its log is one JSON object, whoever writes it and however it ends."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

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


async def test_a_crash_at_the_start_is_one_line_with_its_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await started(tmp_path / "log", "work", DATABASE_URL="postgresql://x", HTTP_PORT=port)
        assert await asyncio.wait_for(process.wait(), 20) == 1
    (line,) = lines_of(tmp_path / "log")
    assert (line["event"], line["error"]) == ("crashed", "OSError")
    assert "Traceback" in line["exception"]
