"""Which message may leave, over what, and what follows from an attempt. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from notify.messages.hours import Span, end_of, first_leave
from notify.templates.catalogue import Leaves


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
    REPLACED = "REPLACED"
    PAID = "PAID"
    CREDIT_UNAVAILABLE = "CREDIT_UNAVAILABLE"


# The channel will not take it tomorrow either: it is not tried over that way again.
PERMANENT = frozenset({Reason.ADDRESS_REFUSED, Reason.MESSAGE_REFUSED})


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
    zone: str = "UTC"
    quiet: Span | None = None
    greeting: Span | None = None


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """What is owed on an invoice, minor units, and since or until when."""

    outstanding: int
    due_on: date


@dataclass(frozen=True, slots=True)
class Route:
    """Send it over this channel to this address.

    `key` names the route without naming the address: the channel, the way, the how-manieth of that way.
    `others`: how many more there are that were not given up.
    """

    channel: str
    way: Way
    key: str = field(default="", compare=False)
    others: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. PENDING: again after a pause, or at once when `at_once`.

    `not_before` holds it until then. `given_up` is the key of a route that is not tried again, `failed`
    counts against the route that was tried. Not `tried`: nothing was begun, so it counts as no attempt.
    """

    state: State
    reason: Reason = Reason.NONE
    last_failure: Reason = Reason.NONE
    channel: str = ""
    language: str = ""
    at_once: bool = False
    not_before: datetime | None = None
    given_up: str = ""
    failed: bool = False
    tried: bool = True


def route(
    contact: Contact,
    carriers: Mapping[str, Sequence[str]],
    wanted: str,
    *,
    given_up: Collection[str] = (),
    failures: int = 0,
    failures_per_route: int = 1,
    last_failure: Reason = Reason.NONE,
) -> Route | Outcome:
    """Choose the first allowed way that a channel carries (only `wanted` where given), or say why not.

    `carriers` names the channels set up here for each way, first choice first. Routes that were given up
    are left out; after so many failures over one the next has its turn, and after the last the first.
    """
    if contact.refusal:
        return Outcome(State.SKIPPED, contact.refusal)
    if not contact.allowed:
        return Outcome(State.SKIPPED, Reason.NO_CONTACT)
    routes = _routes(contact, carriers, wanted)
    if not routes:
        return Outcome(State.SKIPPED, Reason.NO_CHANNEL)
    left = [(channel, way, key) for channel, way, key in routes if key not in given_up]
    if not left:
        return Outcome(State.FAILED, last_failure or Reason.ADDRESS_REFUSED)
    channel, way, key = left[failures // failures_per_route % len(left)]
    return Route(channel, way, key, len(left) - 1)


def _routes(
    contact: Contact, carriers: Mapping[str, Sequence[str]], wanted: str
) -> list[tuple[str, Way, str]]:
    routes: list[tuple[str, Way, str]] = []
    seen: dict[str, int] = {}
    for way in contact.allowed:
        seen[way.way] = number = seen.get(way.way, 0) + 1
        for channel in carriers.get(way.way, ()):
            if wanted in ("", channel):
                routes.append((channel, way, f"{channel}/{way.way}/{number}"))
    return routes


def too_late(now: datetime, not_after: datetime, attempts: int) -> Outcome | None:
    """Say what becomes of a message that is claimed after its use has passed; `attempts` counts this one."""
    if now <= not_after:
        return None
    return Outcome(State.SKIPPED if attempts <= 1 else State.FAILED, Reason.NOT_AFTER_PASSED)


def last_use(until: date | None, zone: str, not_after: datetime) -> datetime:
    """Return the last instant of use, now that the customer's zone is known; `until` is a local date."""
    return not_after if until is None else end_of(until, zone)


def held(
    contact: Contact, leaves: Leaves, now: datetime, not_after: datetime, attempts: int
) -> Outcome | None:
    """Say that a message must wait for its customer's hours, or that they begin too late; None: it may go.

    What the customer allows is asked again when the hours have come.
    """
    leave = first_leave(now, contact.zone, leaves, contact.quiet, contact.greeting)
    if leave == now:
        return None
    if leave is None or leave > not_after:
        return Outcome(State.SKIPPED if attempts <= 1 else State.FAILED, Reason.NOT_AFTER_PASSED)
    return Outcome(State.PENDING, not_before=leave, tried=False)


def failed(
    why: Reason,
    now: datetime,
    not_after: datetime,
    route: Route | None = None,
    *,
    per_route: int = 1,
    failures: int = 0,
) -> Outcome:
    """Say what follows from an attempt that did not succeed.

    A refusal for good gives its route up, and the message where there is no other; anything else is tried
    again, over the next route when this one has had its `per_route` failures, unless it would be too late.
    """
    channel = route.channel if route else ""
    for_good = route is not None and why in PERMANENT
    if for_good and route is not None and not route.others:
        return Outcome(State.FAILED, why, why, channel, given_up=route.key)
    if now > not_after:
        return Outcome(State.FAILED, Reason.NOT_AFTER_PASSED, why, channel)
    if route is None:
        return Outcome(State.PENDING, last_failure=why)
    if for_good:
        return Outcome(State.PENDING, last_failure=why, channel=channel, given_up=route.key, at_once=True)
    next_route = bool(route.others) and (failures + 1) % per_route == 0
    return Outcome(State.PENDING, last_failure=why, channel=channel, failed=True, at_once=next_route)


def pause_s(attempts: int, first_s: float, longest_s: float, draw: float) -> float:
    """Return wall seconds until the next attempt: doubled with each, at most `longest_s`, and spread.

    `draw` is random in [0, 1): of what a provider lost at once, not all comes back at once.
    """
    doubled = first_s * 2.0 ** min(max(attempts, 1) - 1, 30)
    return float(min(doubled, longest_s) * (0.5 + draw / 2))
