"""Which message may leave, over what, and what follows from an attempt. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """How far a message has come; SENT, FAILED and SKIPPED are final."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


FINAL = frozenset({State.SENT, State.FAILED, State.SKIPPED})


class Reason(StrEnum):
    """Why a message was skipped, given up or not yet accepted; the names of MessageReason in the proto."""

    NONE = ""
    NO_CONTACT = "NO_CONTACT"
    NO_CONSENT = "NO_CONSENT"
    CUSTOMER_RESTRICTED = "CUSTOMER_RESTRICTED"
    CUSTOMER_INACTIVE = "CUSTOMER_INACTIVE"
    CUSTOMER_ERASED = "CUSTOMER_ERASED"
    CUSTOMER_UNKNOWN = "CUSTOMER_UNKNOWN"
    NO_CHANNEL = "NO_CHANNEL"
    NOT_AFTER_PASSED = "NOT_AFTER_PASSED"
    TEMPLATE_BROKEN = "TEMPLATE_BROKEN"
    CONTACTS_UNAVAILABLE = "CONTACTS_UNAVAILABLE"
    CHANNEL_UNAVAILABLE = "CHANNEL_UNAVAILABLE"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    MESSAGE_REFUSED = "MESSAGE_REFUSED"
    CHANNEL_BUSY = "CHANNEL_BUSY"
    CHANNEL_BROKEN = "CHANNEL_BROKEN"


@dataclass(frozen=True, slots=True)
class Way:
    """An address that may be used now: "email", "phone" or "whatsapp", and where."""

    way: str
    address: str


@dataclass(frozen=True, slots=True)
class Contact:
    """What customers answers about one customer at the moment of an attempt; never stored."""

    refusal: Reason
    allowed: tuple[Way, ...]
    name: str
    language: str
    locale: str
    shop: str


@dataclass(frozen=True, slots=True)
class Route:
    """Send it over this channel to this address."""

    channel: str
    way: Way


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. PENDING: again after the retry pause, or at once when `at_once`."""

    state: State
    reason: Reason = Reason.NONE
    last_failure: Reason = Reason.NONE
    channel: str = ""
    language: str = ""
    at_once: bool = False


def route(contact: Contact, carriers: Mapping[str, Sequence[str]], wanted: str) -> Route | Outcome:
    """Choose the first allowed way that a channel carries (only `wanted` where given), or say why not.

    `carriers` names the channels set up here for each way, first choice first.
    """
    if contact.refusal:
        return Outcome(State.SKIPPED, contact.refusal)
    if not contact.allowed:
        return Outcome(State.SKIPPED, Reason.NO_CONTACT)
    for way in contact.allowed:
        for channel in carriers.get(way.way, ()):
            if wanted in ("", channel):
                return Route(channel, way)
    return Outcome(State.SKIPPED, Reason.NO_CHANNEL)


def too_late(now: datetime, not_after: datetime, attempts: int) -> Outcome | None:
    """Say what becomes of a message that is claimed after its use has passed; `attempts` counts this one."""
    if now <= not_after:
        return None
    return Outcome(State.SKIPPED if attempts <= 1 else State.FAILED, Reason.NOT_AFTER_PASSED)


def failed(why: Reason, now: datetime, not_after: datetime, channel: str = "") -> Outcome:
    """Say what follows from an attempt that did not succeed: another one, unless it would be too late."""
    if now > not_after:
        return Outcome(State.FAILED, Reason.NOT_AFTER_PASSED, why, channel)
    return Outcome(State.PENDING, last_failure=why, channel=channel)
