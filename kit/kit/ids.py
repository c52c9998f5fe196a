"""Ids: UUIDs chosen by callers, natural ids derived from causes, and neutral customer ids."""

from __future__ import annotations

import re
import secrets
import uuid

from kit.errors import InvalidArgument

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAMESPACE = uuid.UUID("6c616e67-6761-6e61-6e2d-696473000001")
# Crockford's base 32: no I, L, O, U, so that an id can be said and typed.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {c: i for i, c in enumerate(_ALPHABET)}
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
    return str(uuid.uuid4())


def derived_uuid(*parts: str) -> str:
    """Return the UUID (version 5) that belongs to these parts, always the same."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


def _luhn(body: str) -> str:
    """Check character of Luhn mod N with N = 32 over Crockford's alphabet."""
    total = 0
    for position, char in enumerate(reversed(body)):
        value = _VALUE[char] * (2 if position % 2 == 0 else 1)
        total += value // 32 + value % 32
    return _ALPHABET[-total % 32]


def new_customer_id() -> str:
    """Return a neutral customer id: 12 random Crockford characters (60 bits) and a check character."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return body + _luhn(body)


def valid_customer_id(value: str) -> bool:
    """Tell whether `value` is a customer id with a right check character."""
    if len(value) != _LENGTH + 1 or any(c not in _VALUE for c in value):
        return False
    return _luhn(value[:-1]) == value[-1]


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
