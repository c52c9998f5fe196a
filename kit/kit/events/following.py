"""What follows from events: their names in its log lines, and their traces, which go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from kit import cause, trace
from kit.cause import Cause
from kit.events.envelope import Envelope


@dataclass(slots=True)
class Followed:
    """The events, each in the trace of its span; `refused`: in a word, why one of them was not applied."""

    envelopes: list[Envelope]
    refused: dict[UUID, str] = field(default_factory=dict)


@contextmanager
def following(verb: str, group: str, envelopes: Sequence[Envelope]) -> Iterator[Followed]:
    """Let these events be the causes of what is done within, each with a span where it is in a trace."""
    spans = [_begin(verb, group, one) for one in envelopes]
    followed = Followed(
        [
            replace(envelope, traceparent=span.traceparent) if span else envelope
            for envelope, span in zip(envelopes, spans, strict=True)
        ]
    )
    with cause.of([cause_of(envelope) for envelope in followed.envelopes]):
        error = "CANCELLED"
        try:
            yield followed
            error = ""
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            for envelope, span in zip(envelopes, spans, strict=True):
                if span is not None:
                    span.end(error or followed.refused.get(envelope.id, ""))


def cause_of(envelope: Envelope) -> Cause:
    """Return an event as the cause of what is done for it."""
    names = {"event_id": envelope.id, "event_type": envelope.type}
    return Cause(names, envelope.traceparent, envelope.customer)


def _begin(verb: str, group: str, envelope: Envelope) -> trace.Span | None:
    """Begin the span of an event; what no trace led to begins none."""
    if not envelope.traceparent:
        return None
    attributes: trace.Attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": envelope.topic,
        "messaging.destination.partition.id": str(envelope.partition),
        "messaging.kafka.offset": envelope.offset,
        "messaging.consumer.group.name": group,
        "messaging.message.id": str(envelope.id),
        "langganan.merchant": envelope.merchant_id,
    }
    return trace.begin(f"{verb} {envelope.type}", "consumer", (envelope.traceparent,), attributes)
