"""What a service brings to its consumer: handlers by event type, and the lock of the accounts named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import Message

from kit.db import Conn
from kit.events.envelope import Received

# One entry an event: None when applied, else why not; nothing of a refused event may have been written.
Refusals: TypeAlias = Sequence[Exception | None]
Apply: TypeAlias = Callable[[Conn, list[Received]], Awaitable[Refusals | None]]
# Opens the missing accounts and locks all that the events name, in (merchant, customer) order.
Lock: TypeAlias = Callable[[Conn, list[Received]], Awaitable[None]]


class NotYet(Exception):
    """The event names something that is not known yet; it is parked and tried again by itself."""


@dataclass(frozen=True, slots=True)
class Handler:
    """How one event type is applied: its message, and a function called once a wave with a list.

    `apply` raises, or returns one Exception or None an event. NotYet parks the event for a later try;
    any other exception parks it, and what comes behind it for that customer, until staff replay it.

    `folds`: the list may hold several events of a customer, in order, and each is judged as what those before
    it leave; so a backlog is few calls. Otherwise a list holds one of each customer.
    """

    payload: type[Message]
    apply: Apply
    folds: bool = False


async def no_lock(conn: Conn, events: list[Received]) -> None:
    """The lock of a service that keeps nothing a customer which two could write at once."""
