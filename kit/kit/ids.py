"""Ids: UUIDs chosen by callers, natural ids derived from causes, and neutral customer ids."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid

from kit.errors import InvalidArgument

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAMESPACE = uuid.UUID("6c616e67-6761-6e61-6e2d-696473000001")
# The bits of a UUID that say its version and variant, and the variant that all of RFC 9562 have.
_VERSION_BITS = 0xF << 76 | 0x3 << 62
_VARIANT = 0x2 << 62
# Crockford's base 32: no I, L, O, U, so that an id can be said and typed.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {c: i for i, c in enumerate(_ALPHABET)}
# What a character adds to the sum of Luhn mod N in a place that counts twice: the digits of its double.
_DOUBLED = {c: 2 * i // 32 + 2 * i % 32 for c, i in _VALUE.items()}
_CHARACTERS = (_ALPHABET * 8).encode()  # of each byte
_LENGTH = 12


def canonical_uuid(value: str, field: str) -> str:
    """Return `value` if it is a UUID in lower-case canonical form, else raise INVALID_ID."""
    if _UUID.fullmatch(value) is None:
        raise InvalidArgument(
            f"{field} must be a UUID in lower-case canonical form, such as "
            "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b",
            reason="INVALID_ID",
            field=field,
        )
    return value


def new_uuid() -> str:
    """Return a random UUID in canonical form."""
    return _text(secrets.token_bytes(16), version=4)


def derived_uuid(*parts: str) -> str:
    """Return the UUID (version 5) that belongs to these parts, always the same."""
    digest = hashlib.sha1(_NAMESPACE.bytes + "\x1f".join(parts).encode(), usedforsecurity=False).digest()
    return _text(digest[:16], version=5)


def _text(octets: bytes, version: int) -> str:
    """The canonical form of a UUID of a version; uuid.UUID takes twice as long, and a sale needs four."""
    text = f"{int.from_bytes(octets) & ~_VERSION_BITS | version << 76 | _VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _luhn(body: str) -> str:
    """Check character of Luhn mod N with N = 32 over Crockford's alphabet; KeyError for another character."""
    twice = sum(map(_DOUBLED.__getitem__, body[-1::-2]))
    once = sum(map(_VALUE.__getitem__, body[-2::-2]))
    return _ALPHABET[-(twice + once) % 32]


def new_customer_id() -> str:
    """Return a neutral customer id: 12 random Crockford characters (60 bits) and a check character."""
    body = secrets.token_bytes(_LENGTH).translate(_CHARACTERS).decode()
    return body + _luhn(body)


def valid_customer_id(value: str) -> bool:
    """Tell whether `value` is a customer id with a right check character."""
    if len(value) != _LENGTH + 1:
        return False
    try:
        return _luhn(value[:-1]) == value[-1]
    except KeyError:
        return False


def normal_customer_id(value: str) -> str:
    """Read an id as a person may type it: case, spaces, hyphens, and O for 0, I or L for 1."""
    text = value.upper().replace(" ", "").replace("-", "")
    return text.replace("O", "0").replace("I", "1").replace("L", "1")


def check_customer_id(value: str, field: str = "customer_id") -> str:
    """Return `value` if it is a valid customer id, else raise INVALID_CUSTOMER_ID."""
    if not valid_customer_id(value):
        raise InvalidArgument(
            f"{field} is no customer id: 13 characters of Crockford's base 32 whose last one checks the "
            "others; read it again or use Identify",
            reason="INVALID_CUSTOMER_ID",
            field=field,
        )
    return value
