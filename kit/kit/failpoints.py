"""Named points at which a process of a test dies, once, as a crash there would end it.

Armed by the environment alone, LANGGANAN_FAILPOINTS="point=marker file, …", before the process starts.
Whoever reaches an armed point whose marker is not there yet makes it and is gone; with the marker there
nothing happens, so a process that is started again under the same environment goes on.
"""

from __future__ import annotations

import os
import signal
from typing import Final

import structlog

VARIABLE = "LANGGANAN_FAILPOINTS"

log = structlog.get_logger(__name__)


def parse(text: str) -> dict[str, str]:
    """Points and their marker files; raises ValueError for what is not `point=file`."""
    armed: dict[str, str] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        point, _, marker = one.partition("=")
        if not point or not marker:
            raise ValueError(f"{VARIABLE} must be point=marker file, …; not {one!r}")
        armed[point] = marker
    return armed


# Read once: where nothing is armed a point costs a call and a look at an empty dict.
_ARMED: Final = parse(os.environ.get(VARIABLE, ""))


def hit(point: str, detail: str = "") -> None:
    """Die here if the point is armed, alone or for this `detail` only ("point:detail"), and not hit yet."""
    if not _ARMED:
        return
    for name in (point, f"{point}:{detail}"):
        marker = _ARMED.get(name)
        if marker is not None and _first(marker):
            log.warning("failpoint_hit", point=name)
            os.kill(os.getpid(), signal.SIGKILL)


def _first(marker: str) -> bool:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True
