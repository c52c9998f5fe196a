"""What a profile is made of, which parts name the person, and how a name is masked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from customers.contacts.model import BirthDate, ContactPoint
from customers.errors import Invalid

# Sealed in the vault, one value each; the rest lies in customers.
SEALED = ("full_name", "nickname", "birth_date", "address", "postal_code", "notes")
NEUTRAL = ("gender", "city", "province", "status", "language", "time_zone", "acquisition_source")
UPDATABLE = frozenset({*SEALED, *NEUTRAL, "contact_points", "member_codes"})
SETTABLE_STATUS = frozenset({"ACTIVE", "INACTIVE", "RESTRICTED"})
NAMES = ("full_name", "nickname")

_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,30}[A-Z0-9]", re.ASCII)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of a profile that a request sets. An empty sealed value clears the field."""

    sealed: Mapping[str, str]
    neutral: Mapping[str, str]
    points: tuple[ContactPoint, ...] | None = None
    member_codes: tuple[str, ...] | None = None

    @property
    def changed(self) -> list[str]:
        """Names of the fields that it sets."""
        lists = [("contact_points", self.points), ("member_codes", self.member_codes)]
        return sorted([*self.sealed, *self.neutral, *(name for name, value in lists if value is not None)])


@dataclass(frozen=True, slots=True)
class Facts:
    """What the customers database knows of a customer; nothing of it names the person."""

    merchant_id: str
    customer_id: str
    kind: str
    gender: str
    city: str
    province: str
    status: str
    category: str
    credit_limit_wished: int
    language: str
    time_zone: str
    acquisition_source: str
    home_store_id: str
    registered_at: datetime
    updated_at: datetime
    revision: int
    member_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile: the neutral facts, and what the vault opened."""

    facts: Facts
    sealed: Mapping[str, str]
    points: tuple[ContactPoint, ...]
    etag: str


def normal_code(text: str, field: str) -> str:
    """Return a member code in upper case without spaces, else raise INVALID_MEMBER_CODE."""
    code = text.upper().replace(" ", "")
    if _CODE.fullmatch(code) is None:
        message = f"{field} must be 4 to 32 letters, digits and hyphens"
        raise Invalid("INVALID_MEMBER_CODE", message, field)
    return code


def greeting_name(sealed: Mapping[str, str]) -> str:
    """The name to greet with: what the customer wants to be called, else the full name."""
    return sealed.get("nickname") or sealed.get("full_name", "")


def mask(name: str) -> str:
    """Leave the first letter of each word: "Budi Santoso" becomes "B*** S***"."""
    return " ".join(word[0] + "***" for word in name.split())


def name_parts(name: str) -> set[str]:
    """The words of a name as they are looked up: without case and accents, two letters at least."""
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return {word for word in _WORD.findall(letters) if len(word) > 1}


def birthday(born: BirthDate) -> str:
    """Month and day as they are looked up."""
    return f"{born.month:02}-{born.day:02}"
