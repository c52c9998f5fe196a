"""What a channel implements (entry-point group `langganan.notify.channels`, contract 1).

A channel carries one text to one address. It decides nothing about whom, when or what: contact, consent,
template and retry are notify's. It keeps and logs neither address nor text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import BaseModel

GROUP = "langganan.notify.channels"
CONTRACT = 1

# The ways of a contact point that a channel may carry, as customers names them.
WAYS = frozenset({"phone", "email", "whatsapp"})


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to one address; `key` ([a-z0-9.-]) is the same at every attempt, so that a provider or a
    mailbox can tell a repetition. Name, shop, subject and body may hold any characters: encode them. An
    `unsubscribable` one is a greeting or marketing: say how to be spared where the way has a form for it.
    """

    key: str
    way: str
    address: str
    name: str
    shop: str
    subject: str
    body: str
    language: str
    unsubscribable: bool = False


class NotSent(Exception):
    """An attempt did not succeed; it is tried again until the message is of no use any more.

    `detail` goes to the log: a status code, never a provider's words, an address or a text.
    """

    reason: ClassVar[str] = "CHANNEL_BROKEN"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.reason} {detail}".strip())
        self.detail = detail


class Unreachable(NotSent):
    """The provider could not be reached, or the connection was lost before it answered."""

    reason = "CHANNEL_UNAVAILABLE"


class Busy(NotSent):
    """The provider asked to wait."""

    reason = "CHANNEL_BUSY"


class AddressRefused(NotSent):
    """The provider refuses the address."""

    reason = "ADDRESS_REFUSED"


class MessageRefused(NotSent):
    """The provider refuses the message."""

    reason = "MESSAGE_REFUSED"


class Channel(Protocol):
    """A channel; constructed as `Plugin(Plugin.Config(...))`, used by one event loop."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]
    # The ways of contact points that it can use, out of WAYS.
    carries: ClassVar[frozenset[str]]

    @property
    def concurrency(self) -> int:
        """How many `send` may run at once, ≥ 1."""

    async def send(self, message: Outbound) -> None:
        """Hand the message over; return once it is accepted, else raise NotSent. Must bear cancellation."""

    async def close(self) -> None:
        """Let go of every connection; may be called more than once, and `send` may open them anew."""
