"""Where the key-encryption key is: the Protocol of a key provider, and the built-in one, a file."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, Field

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
        """Keys of the blind indexes by version; the highest is the current one."""


class KeyUnavailable(RuntimeError):
    """A key-encryption key that wraps a data key is not there, or is another one than it was."""


class FileKeys:
    """Keys in a JSON file, such as a mounted Kubernetes secret:

    {"current": "k1", "keys": {"k1": BASE64}, "index": {"1": BASE64}}, each key 32 bytes.
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
        read = json.loads(config.path.read_text())
        self._current: str = read["current"]
        self._keks = {name: AESGCM(_key(text)) for name, text in read["keys"].items()}
        self._index = {int(version): _key(text) for version, text in read["index"].items()}
        if self._current not in self._keks or not self._index:
            raise ValueError(f"{config.path} needs the current key-encryption key and an index key")

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        """Wrap 32 bytes under the current key-encryption key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._keks[self._current].encrypt(nonce, key, context)
        return Wrapped(self._current, sealed, context)

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap, in order."""
        return [self._unwrap(one) for one in wrapped]

    def _unwrap(self, one: Wrapped) -> bytes:
        kek = self._keks.get(one.kek_id)
        if kek is None:
            raise KeyUnavailable(f"key-encryption key {one.kek_id} is not in the file")
        return kek.decrypt(one.wrapped[:_NONCE_BYTES], one.wrapped[_NONCE_BYTES:], one.context)

    def index_keys(self) -> Mapping[int, bytes]:
        """Keys of the blind indexes by version; the highest is the current one."""
        return self._index


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
