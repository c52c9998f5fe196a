"""Tills that sell to the pods while these are rolled, scaled and killed: `python -m local.replay`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from local.part import PartFailed, tail
from local.rendered.network import DOMAIN
from local.rendered.steps import say

TILLS = 8
SELLING_SECONDS, COMPARING_SECONDS = 60.0, 180.0  # until something is sold; from the stop until the verdict
POLL_SECONDS = 0.1


class Tills:
    """One replay of a merchant called `name`: `start`, `sold`, and `finish` for its report."""

    def __init__(
        self, name: str, folder: Path, keys: Path, *, rate: float, sample: int, settle: float
    ) -> None:
        self.name = name
        self._files = {part: folder / f"{name}.{part}" for part in ("stop", "journal", "report", "log")}
        self._wanted = {
            "--target": f"dns:///{{service}}.{DOMAIN}:7000",
            "--keys": keys,
            "--merchant": name,
            "--rate": rate,
            "--tills": TILLS,
            "--sample": sample,
            "--settle": settle,
            "--stop-file": self._files["stop"],
            "--journal": self._files["journal"],
            "--report": self._files["report"],
        }
        self._ended: asyncio.Task[int] | None = None

    async def start(self) -> None:
        """Open the shop and wait for the first sale."""
        with self._files["log"].open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local.replay"),
                *(str(word) for pair in self._wanted.items() for word in pair),
                stdout=output,
                stderr=output,
            )
        self._ended = asyncio.create_task(process.wait())
        await self.sold(1)

    async def sold(self, more: int) -> None:
        """Wait until they have been answered so many times more; raise PartFailed when they sell no more."""
        assert self._ended is not None
        before, deadline = self._answered(), time.monotonic() + SELLING_SECONDS
        while self._answered() < before + more:
            if self._ended.done() or time.monotonic() > deadline:
                raise PartFailed(f"{self.name} does not sell; its log ends:", self._files["log"])
            await asyncio.sleep(POLL_SECONDS)

    def _answered(self) -> int:
        journal = self._files["journal"]
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    async def finish(self) -> dict[str, Any]:
        """Let them sell no more, compare, and give the report."""
        assert self._ended is not None
        self._files["stop"].touch()
        await asyncio.wait([self._ended], timeout=COMPARING_SECONDS)
        for line in tail(self._files["log"], 4):
            say(f"{self.name}: {line}")
        if not self._files["report"].exists():
            raise PartFailed(f"{self.name} gave no report; its log ends:", self._files["log"])
        report: dict[str, Any] = json.loads(self._files["report"].read_text())
        return report
