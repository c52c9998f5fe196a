"""Fingerprints: whether two requests under one id mean the same business content."""

from __future__ import annotations

import hashlib
import json

Field = str | int | bool | bytes | None | tuple["Field", ...] | list["Field"]


def _plain(value: Field) -> object:
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value


def fingerprint(version: int, *fields: Field) -> bytes:
    """SHA-256 (32 bytes) of the decoded business fields, in the order given, under a version.

    Give decoded values with defaults already applied, never message bytes and never a till's clock: a
    retry that differs only in transport must match.
    """
    text = json.dumps([version, [_plain(f) for f in fields]], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()
