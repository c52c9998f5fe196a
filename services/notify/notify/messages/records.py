"""A message as it is asked for, as it is stored, and as an attempt of it has been begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from notify.messages.model import Reason, State
from notify.templates.values import Value


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to store; `fingerprint` is the content of a SendMessage, None for one made from an event.

    `template_version` 0: the one in force. `family`: it replaces older unsent ones of that family. `until`
    is the last local date of its use, `invoices` what credit is asked about at every attempt. `traceparent`:
    the trace of the event that it was made from.
    """

    merchant_id: str
    message_id: str
    customer_id: str
    kind: str
    cause: str
    template: str
    variables: dict[str, Value]
    created_at: datetime
    not_after: datetime
    template_version: int = 0
    wanted_channel: str = ""
    fingerprint: bytes | None = None
    family: str = ""
    until: date | None = None
    invoices: Sequence[str] = ()
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it is now."""

    message_id: str
    customer_id: str
    kind: str
    cause: str
    template: str
    template_version: int
    variables: dict[str, Value]
    state: State
    reason: Reason
    last_failure: Reason
    channel: str
    language: str
    attempts: int
    created_at: datetime
    not_after: datetime
    not_before: datetime | None
    finished_at: datetime | None
    fingerprint: bytes | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message of which an attempt has begun; `attempts` is that attempt's number, `made_at` wall time.

    `variables` is JSON as stored: a later build may have written what this one cannot read. `overtaken`:
    a newer message of its family takes its place. `traceparent`: the trace that led to it, if one did.
    """

    merchant_id: str
    message_id: str
    customer_id: str
    kind: str
    cause: str
    template: str
    template_version: int
    variables: str
    wanted_channel: str
    attempts: int
    not_after: datetime
    made_at: datetime
    family: str
    until: date | None
    invoices: Sequence[str]
    given_up: Sequence[str]
    failures: int
    last_failure: str
    traceparent: str
    overtaken: bool


def preview(message: NewMessage, version: int) -> Stored:
    """Return a message as it would be once stored, with this version of its template."""
    return Stored(
        message_id=message.message_id,
        customer_id=message.customer_id,
        kind=message.kind,
        cause=message.cause,
        template=message.template,
        template_version=version,
        variables=message.variables,
        state=State.PENDING,
        reason=Reason.NONE,
        last_failure=Reason.NONE,
        channel="",
        language="",
        attempts=0,
        created_at=message.created_at,
        not_after=message.not_after,
        not_before=None,
        finished_at=None,
        fingerprint=message.fingerprint,
    )
