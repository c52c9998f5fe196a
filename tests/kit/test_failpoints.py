"""A failpoint ends the process that reaches it, once; where none is armed nothing happens."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from kit import failpoints

SCRIPT = "from kit import failpoints; failpoints.hit('here', 'authorize'); print('went on')"


async def run(armed: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        env={**os.environ, failpoints.VARIABLE: armed},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize("point", ["here", "here:authorize"])
async def test_an_armed_point_kills_once_and_then_lets_pass(point: str, tmp_path: Path) -> None:
    marker = tmp_path / "hit"
    code, said = await run(f"elsewhere={tmp_path / 'other'}, {point}={marker}")
    assert code == -signal.SIGKILL
    assert "went on" not in said
    assert marker.exists()
    assert not (tmp_path / "other").exists()
    code, said = await run(f"{point}={marker}")
    assert (code, "went on" in said) == (0, True)


@pytest.mark.parametrize("armed", ["", "here:void=/nowhere/marker", "there=/nowhere/marker"])
async def test_what_is_not_armed_does_nothing(armed: str) -> None:
    assert (await run(armed))[0] == 0


def test_an_unreadable_wish_is_refused() -> None:
    with pytest.raises(ValueError, match="point=marker file"):
        failpoints.parse("here")
