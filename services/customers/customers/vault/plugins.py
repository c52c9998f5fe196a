"""Where the key-encryption key is: the Protocol of a key provider, and the built-in one, a file."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, Field

log = structlog.get_logger()
GROUP = "langganan.customers.keys"
CONTRACT = 1
KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key under a key-encryption key; `context` is bound to it and needed to unwrap."""

    kek_id: str
    wrapped: bytes
    context: bytes


class KeyProvider(Protocol):
    """Wraps data keys, knows the keys of the blind indexes. Called outside of transactions: may do I/O."""

    name: ClassVar[str]
    contract: ClassVar[int]

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Wrap 32 bytes under the current key-encryption key."""

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap, in order; raises KeyUnavailable where the key-encryption key is not there."""

    def index_keys(self) -> Mapping[int, bytes]:
        """Keys of the blind indexes by version; the highest is the current one, unless there is an
        `index_current()` that says which: a new key has to be known everywhere before anybody writes by it.
        """


def index_current(provider: KeyProvider) -> int:
    """Return the version of the index key that is written by."""
    say: Callable[[], int] | None = getattr(provider, "index_current", None)
    return max(provider.index_keys()) if say is None else say()


class KeyUnavailable(RuntimeError):
    """A key-encryption key that wraps a data key is not there, or is another one than it was."""


class FileKeys:
    """Keys in a JSON file, such as a mounted Kubernetes secret:

    {"current": "k1", "keys": {"k1": BASE64}, "index": {"1": BASE64}}, each key 32 bytes; "index_current"
    says which index key is written by, the highest unless it is there. Key-encryption keys are read anew
    when the file changes, so that one can be added and made current while processes run; index keys are
    those of the start.
    """

    name: ClassVar[str] = "file"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Where the file is."""

        path: Path = Field(description="the JSON file with the keys")
        create: bool = Field(
            False, description="make it with fresh keys when it is missing; one machine only"
        )

    def __init__(self, config: Config) -> None:
        if config.create and not config.path.exists():
            _create(config.path)
        self._path = config.path
        self._stamp = (0, 0)
        read = self._read()
        self._index = {int(version): _key(text) for version, text in read["index"].items()}
        if not self._index:
            raise ValueError(f"{config.path} needs an index key")
        self._index_current: int | None = read.get("index_current")
        if self._index_current is not None and self._index_current not in self._index:
            raise ValueError(f"{config.path} has no index key {self._index_current}")

    def _read(self) -> dict[str, Any]:
        """Read the file and take its key-encryption keys; raises ValueError or OSError and keeps the old."""
        found = self._path.stat()
        read: dict[str, Any] = json.loads(self._path.read_text())
        keks = {name: AESGCM(_key(text)) for name, text in read["keys"].items()}
        if read["current"] not in keks:
            raise ValueError(f"{self._path} needs the current key-encryption key")
        self._current: str = read["current"]
        self._keks = keks
        self._stamp = (found.st_mtime_ns, found.st_ino)
        return read

    def _refresh(self) -> None:
        """Take the file's keys where it has changed; a file that cannot be read changes nothing."""
        try:
            found = self._path.stat()
            if (found.st_mtime_ns, found.st_ino) != self._stamp:
                self._read()
        except (OSError, ValueError, KeyError) as error:
            log.warning("keys_not_read", path=str(self._path), error=type(error).__name__)

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Wrap 32 bytes under the current key-encryption key."""
        self._refresh()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._keks[self._current].encrypt(nonce, key, context)
        return Wrapped(self._current, sealed, context)

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap, in order."""
        if any(one.kek_id not in self._keks for one in wrapped):
            self._refresh()
        return [self._unwrap(one) for one in wrapped]

    def _unwrap(self, one: Wrapped) -> bytes:
        kek = self._keks.get(one.kek_id)
        if kek is None:
            raise KeyUnavailable(f"key-encryption key {one.kek_id} is not in the file")
        return kek.decrypt(one.wrapped[:_NONCE_BYTES], one.wrapped[_NONCE_BYTES:], one.context)

    def index_keys(self) -> Mapping[int, bytes]:
        """Keys of the blind indexes by version; the highest is the current one."""
        return self._index

    def index_current(self) -> int:
        """The version of the index key that is written by."""
        return max(self.index_keys()) if self._index_current is None else self._index_current


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, this one {len(key)}")
    return key


def _create(path: Path) -> None:
    """Write fresh keys in one step, readable by us alone; whoever comes second keeps the first file."""
    fresh = {name: base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() for name in ("kek", "index")}
    text = json.dumps({"current": "k1", "keys": {"k1": fresh["kek"]}, "index": {"1": fresh["index"]}})
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
