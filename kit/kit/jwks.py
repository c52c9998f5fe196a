"""Key files in JWKS form, read again when they change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

log = structlog.get_logger()
_LOOK_EVERY_S = 1.0


class KeyFiles:
    """The keys of one issuer. `changed` is called after they were read anew."""

    def __init__(self, files: Sequence[Path], changed: Callable[[], None]) -> None:
        self._files = list(files)
        self._changed = changed
        self._stamps: tuple[int, ...] | None = None
        self._looked_at = 0.0
        self._keys = KeySet([])

    def current(self) -> KeySet:
        """Return the keys; the files are looked at once a second. Raises when they never could be read."""
        now = time.monotonic()
        if self._stamps is None or now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._look()
        return self._keys

    def _look(self) -> None:
        try:
            stamps = tuple(f.stat().st_mtime_ns for f in self._files)
            if stamps == self._stamps:
                return
            keys = [key for f in self._files for key in json.loads(f.read_text())["keys"]]
            self._keys = KeySet.import_key_set({"keys": keys}) if keys else KeySet([])
        except (JoseError, OSError, ValueError, KeyError, TypeError) as error:
            if self._stamps is None:
                raise
            # A file caught half-written or between two: the keys that were known go on until it can be read.
            log.warning("jwks_unreadable", error=type(error).__name__)
            return
        self._stamps = stamps
        self._changed()
