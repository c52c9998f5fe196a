"""Sealing under a customer's data key, and blind indexes: what the vault's columns hold."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from customers import metrics
from customers.vault.plugins import KEY_BYTES, KeyProvider, Wrapped, index_current
from kit.fingerprint import Field, fingerprint

_NONCE_BYTES = 12
_SEPARATOR = b"\x1f"


def _joined(*parts: str) -> bytes:
    return _SEPARATOR.join(p.encode() for p in parts)


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A customer's data key as it lies in the vault: wrapped."""

    merchant_id: str
    customer_id: str
    key_version: int
    kek_id: str
    wrapped: bytes

    @property
    def context(self) -> bytes:
        """What the wrapping binds the key to."""
        return _joined(self.merchant_id, self.customer_id, str(self.key_version))


class Sealer:
    """Seals and opens the fields of one customer."""

    __slots__ = ("_after", "_before", "_cipher", "key_version")

    def __init__(self, merchant_id: str, customer_id: str, key_version: int, key: bytes) -> None:
        self._before = _joined(merchant_id, customer_id, "")
        self._after = _joined("", str(key_version))
        self._cipher = AESGCM(key)
        self.key_version = key_version

    def _bound(self, field: str) -> bytes:
        return self._before + field.encode() + self._after

    def seal(self, field: str, text: str) -> bytes:
        """Return nonce, ciphertext and tag; bound to merchant, customer, field and key version."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), self._bound(field))

    def open(self, field: str, sealed: bytes) -> str:
        """Return the text; raises InvalidTag for a value that was moved or changed."""
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(field)).decode()


class Keyring:
    """Data keys by customer: unwrapped once, then remembered (least recently used go first)."""

    def __init__(self, provider: KeyProvider, size: int) -> None:
        self._provider = provider
        self._size = size
        self._sealers: OrderedDict[tuple[str, str, int], Sealer] = OrderedDict()

    async def create(self, merchant_id: str, customer_id: str) -> tuple[PersonKey, Sealer]:
        """Make a data key for a new customer."""
        key = secrets.token_bytes(KEY_BYTES)
        bare = PersonKey(merchant_id, customer_id, 1, "", b"")
        wrapped = await self._provider.wrap(key, bare.context)
        person = PersonKey(merchant_id, customer_id, 1, wrapped.kek_id, wrapped.wrapped)
        return person, Sealer(merchant_id, customer_id, 1, key)

    async def rewrap(self, people: Sequence[PersonKey], current: str) -> list[PersonKey]:
        """Return those of `people` whose key another key than `current` wraps, wrapped anew."""
        old = [p for p in people if p.kek_id != current]
        keys = await self._provider.unwrap([Wrapped(p.kek_id, p.wrapped, p.context) for p in old])
        fresh = [await self._provider.wrap(key, p.context) for key, p in zip(keys, old, strict=True)]
        return [replace(p, kek_id=w.kek_id, wrapped=w.wrapped) for p, w in zip(old, fresh, strict=True)]

    async def current(self) -> str:
        """Return the id of the key-encryption key that new data keys are wrapped under."""
        return (await self._provider.wrap(secrets.token_bytes(KEY_BYTES), b"probe")).kek_id

    async def sealers(self, people: Sequence[PersonKey]) -> list[Sealer]:
        """Return a sealer for each, in order; unknown keys are unwrapped in one call."""
        places = [self._key(p) for p in people]
        # Taken before the provider is asked: meanwhile they may fade from use, or their owner be erased.
        found = {place: self._sealers[place] for place in places if place in self._sealers}
        missing = {place: p for place, p in zip(places, people, strict=True) if place not in found}
        if missing:
            asked = [Wrapped(p.kek_id, p.wrapped, p.context) for p in missing.values()]
            fresh = await self._provider.unwrap(asked)
            metrics.KEYS_UNWRAPPED.inc(len(fresh))
            made = {
                place: Sealer(p.merchant_id, p.customer_id, p.key_version, key)
                for (place, p), key in zip(missing.items(), fresh, strict=True)
            }
            self._sealers.update(made)
            found |= made
        self._used(places)
        return [found[place] for place in places]

    async def sealer(self, person: PersonKey) -> Sealer:
        """Return the sealer of one customer."""
        return (await self.sealers([person]))[0]

    def forget(self, merchant_id: str, customer_id: str) -> None:
        """Drop the keys of a customer who is erased; other processes drop theirs as they fade from use."""
        for place in [p for p in self._sealers if p[:2] == (merchant_id, customer_id)]:
            del self._sealers[place]

    @staticmethod
    def _key(person: PersonKey) -> tuple[str, str, int]:
        return (person.merchant_id, person.customer_id, person.key_version)

    def _used(self, places: Sequence[tuple[str, str, int]]) -> None:
        for place in places:
            if place in self._sealers:
                self._sealers.move_to_end(place)
        while len(self._sealers) > self._size:
            self._sealers.popitem(last=False)
        metrics.KEYS_CACHED.set(len(self._sealers))


@dataclass(frozen=True, slots=True)
class Token:
    """A blind index under the current key, and under every key that rows may still be indexed by."""

    kind: str
    version: int
    current: bytes
    every: tuple[bytes, ...]

    @property
    def lock(self) -> int:
        """Advisory lock of the address: the same for whoever writes it, whatever the key."""
        return int.from_bytes(self.every[0][:8], "big", signed=True)


class BlindIndex:
    """HMAC-SHA-256 of what can be looked up, so that the vault finds it without holding it."""

    def __init__(self, provider: KeyProvider) -> None:
        self._keys = dict(sorted(provider.index_keys().items()))
        self.version = index_current(provider)

    def token(self, merchant_id: str, kind: str, value: str) -> Token:
        """Return the tokens of a value of a merchant."""
        text = _joined(merchant_id, kind, value)
        every = {version: hmac.digest(key, text, "sha256") for version, key in self._keys.items()}
        return Token(kind, self.version, every[self.version], tuple(every.values()))

    def fingerprint(self, version: int, merchant_id: str, *fields: Field) -> bytes | None:
        """Return a fingerprint that tells nothing of its fields without the key of `version`.

        None: that key was removed after a rotation, and nothing can be compared with it any more.
        """
        key = self._keys.get(version)
        return None if key is None else hmac.digest(key, fingerprint(1, merchant_id, *fields), "sha256")

    def mark(self, merchant_id: str, *fields: Field) -> bytes:
        """Return a fingerprint under the key that is written by."""
        return hmac.digest(self._keys[self.version], fingerprint(1, merchant_id, *fields), "sha256")
