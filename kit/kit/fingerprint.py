"""Fingerprints: whether two requests under one id mean the same business content."""

from __future__ import annotations

import hashlib
import json

Field = str | int | bool | bytes | None | tuple["Field", ...] | list["Field"]


def _bytes(value: object) -> object:
    """What JSON cannot say itself; texts can never look like it, for they stay texts."""
    if isinstance(value, bytes):
        return {"b": value.hex()}
    raise TypeError(f"a fingerprint is made of decoded values, not of {type(value).__name__}")


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_bytes)


def fingerprint(version: int, *fields: Field) -> bytes:
    """SHA-256 (32 bytes) of the decoded business fields, in the order given, under a version.

    Give decoded values with defaults already applied, never message bytes and never a till's clock: a
    retry that differs only in transport must match.
    """
    return hashlib.sha256(_encoder.encode([version, fields]).encode()).digest()
