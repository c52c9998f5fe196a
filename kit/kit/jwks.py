"""Key files in JWKS form, read again when they change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kit.renewed import Renewed


class KeyFiles:
    """The keys of one issuer. `changed` is called when they were read anew."""

    def __init__(self, files: Sequence[Path], changed: Callable[[], None]) -> None:
        self._changed = changed
        self._keys = Renewed(files, self._read)

    def current(self) -> KeySet:
        """Return the keys. Raises OSError or ValueError while the files never could be read."""
        return self._keys.current()

    def _read(self, contents: Sequence[bytes]) -> KeySet:
        try:
            keys = [key for content in contents for key in json.loads(content)["keys"]]
            found = KeySet.import_key_set({"keys": keys}) if keys else KeySet([])
        except (JoseError, KeyError, TypeError) as error:
            raise ValueError(f"no JWKS: {error}") from error
        self._changed()
        return found
