"""A value made of files, made again when they change: keys, certificates, authorities."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()
LOOK_EVERY_S = 1.0

T = TypeVar("T")


class Renewed(Generic[T]):
    """Looks at its files at most once a second, when asked, and makes the value again where they differ.

    `make` gets their contents and raises ValueError for those that will not do. A file caught half-written
    or missing between two leaves the value that there was; before there was one, its error is raised.
    A mounted Secret or ConfigMap is followed: what counts is the file behind the link.
    """

    def __init__(self, files: Sequence[Path], make: Callable[[Sequence[bytes]], T]) -> None:
        self._files = list(files)
        self._make = make
        self._value: T | None = None
        self._stamps: object = None  # of the files that the value was made of
        self._refused: object = ()  # of those that would not do, so that it is said once
        self._looked_at = 0.0

    def current(self) -> T:
        """Return the value as the files have it; thread-safe. Raises OSError or ValueError at first only."""
        now = time.monotonic()
        if self._value is None or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._look()
        assert self._value is not None
        return self._value

    def _look(self) -> None:
        stamps: object = None
        try:
            stamps = [_stamp(file) for file in self._files]
            if self._value is not None and stamps == self._stamps:
                return
            value = self._make([file.read_bytes() for file in self._files])
        except (OSError, ValueError) as error:
            if self._value is None:
                raise
            if stamps != self._refused:
                self._refused = stamps
                names = [str(file) for file in self._files]
                log.warning("files_unusable", files=names, error=type(error).__name__, why=str(error))
            return
        self._value, self._stamps, self._refused = value, stamps, ()


def _stamp(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
