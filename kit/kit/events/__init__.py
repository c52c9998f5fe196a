"""Events: outbox, relay, Kafka, inbox; at least once on the wire, once in effect, in order per customer."""

from kit.events.consumer import Consumer
from kit.events.envelope import EventTooLarge, Outgoing, Received
from kit.events.handlers import Handler, NotYet
from kit.events.heard import horizon
from kit.events.outbox import publish
from kit.events.progress import Speaker
from kit.events.relay import Relay

__all__ = [
    "Consumer",
    "EventTooLarge",
    "Handler",
    "NotYet",
    "Outgoing",
    "Received",
    "Relay",
    "Speaker",
    "horizon",
    "publish",
]
