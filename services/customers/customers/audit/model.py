"""Whether the two databases say the same of a customer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """What the customers database says of a customer."""

    status: str
    revision: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the vault says: its version (None: no record), and the newest change that is still pending."""

    version: int | None
    pending: int | None


@dataclass(frozen=True, slots=True)
class Odd:
    """What does not fit."""

    what: str
    must: str
    found: str


def judge(known: Known | None, sealed: Sealed) -> Odd | None:
    """Say what does not fit between the databases; None: all is well, or on its way.

    A registration or an update is in the vault first, with what is pending; an erasure destroys there first.
    """
    if known is None:
        if sealed.version is None or sealed.pending is not None:
            return None
        return Odd("vault record", "a customer", "none")
    if known.status == "ERASED":
        return Odd("vault record", "none", "one") if sealed.version is not None else None
    if sealed.version is None:
        return None if known.status == "ERASING" else Odd("vault record", "one", "none")
    if sealed.version != known.revision and sealed.pending is None:
        return Odd("revision, by the vault's version", str(sealed.version), str(known.revision))
    return None
