"""The contract that every key provider must keep; a third party's test calls it with theirs."""

from __future__ import annotations

import secrets

from customers.vault.plugins import CONTRACT, KEY_BYTES, KeyProvider, Wrapped


async def check_key_provider(provider: KeyProvider) -> None:
    """Raise AssertionError with a sentence where a key provider breaks the contract."""
    assert provider.contract == CONTRACT, f"contract must be {CONTRACT}"
    keys = [secrets.token_bytes(KEY_BYTES) for _ in range(3)]
    wrapped = [await provider.wrap(key, f"context-{i}".encode()) for i, key in enumerate(keys)]
    assert await provider.unwrap(wrapped) == keys, "what was wrapped must come back, in order"
    for key, one in zip(keys, wrapped, strict=True):
        assert key not in one.wrapped, "the wrapped form must not hold the key"
        assert one.kek_id, "the key-encryption key needs an id"
    moved = Wrapped(wrapped[0].kek_id, wrapped[0].wrapped, b"another context")
    assert await _refuses(provider, moved), "a key must not unwrap under another context"
    index = provider.index_keys()
    assert index, "an index key is needed"
    assert all(len(key) == KEY_BYTES for key in index.values()), f"index keys have {KEY_BYTES} bytes"
    assert index == provider.index_keys(), "index keys must not change while the process runs"


async def _refuses(provider: KeyProvider, wrapped: Wrapped) -> bool:
    try:
        await provider.unwrap([wrapped])
    except Exception:  # noqa: BLE001 - any error will do, an answer will not
        return True
    return False
