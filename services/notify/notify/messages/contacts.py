"""Asks customers, at the moment of an attempt, how its customers may be reached. Keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

import grpc
import grpc.aio
from google.type import timeofday_pb2

from kit.rpc.line import Line
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc
from notify import metrics
from notify.calls import why
from notify.messages.hours import Span
from notify.messages.model import Contact, Reason, Way

_REFUSALS = {
    contacts_pb2.REFUSAL_UNSPECIFIED: Reason.NONE,
    contacts_pb2.REFUSAL_UNKNOWN: Reason.CUSTOMER_UNKNOWN,
    contacts_pb2.REFUSAL_ERASED: Reason.CUSTOMER_ERASED,
    contacts_pb2.REFUSAL_RESTRICTED: Reason.CUSTOMER_RESTRICTED,
    contacts_pb2.REFUSAL_NO_CONTACT_POINT: Reason.NO_CONTACT,
    contacts_pb2.REFUSAL_NO_CONSENT: Reason.NO_CONSENT,
    contacts_pb2.REFUSAL_INACTIVE: Reason.CUSTOMER_INACTIVE,
}


class ContactsUnavailable(Exception):
    """Customers did not answer, or not usably; the message is the gRPC code."""


class Contacts:
    """A client of customers.ContactService."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stub: contacts_pb2_grpc.ContactServiceAsyncStub = contacts_pb2_grpc.ContactServiceStub(
            line.channel
        )

    async def ask(self, merchant_id: str, purpose: str, customer_ids: Sequence[str]) -> dict[str, Contact]:
        """Return the contact of each customer (up to 200, each once); raise ContactsUnavailable.

        `purpose` is a name of customers.v1.Purpose without its prefix.
        """
        request = contacts_pb2.GetContactsRequest(
            customer_ids=customer_ids, purpose=contacts_pb2.Purpose.Value(f"PURPOSE_{purpose}")
        )
        try:
            metadata = self._line.metadata(merchant_id)
            with metrics.CONTACTS_SECONDS.time():
                answer = await self._stub.GetContacts(
                    request, timeout=self._line.timeout_s, metadata=metadata
                )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                return await self._halves(merchant_id, purpose, customer_ids)
            raise ContactsUnavailable(why(error)) from error
        except OSError as error:
            raise ContactsUnavailable(why(error)) from error
        return {contact.customer_id: _contact(contact) for contact in answer.contacts}

    async def _halves(
        self, merchant_id: str, purpose: str, customer_ids: Sequence[str]
    ) -> dict[str, Contact]:
        """Find the one id that customers cannot read; the others of the batch must not wait for it."""
        if len(customer_ids) == 1:
            return {customer_ids[0]: Contact(Reason.CUSTOMER_UNKNOWN, (), "", "", "", "")}
        half = len(customer_ids) // 2
        first = await self.ask(merchant_id, purpose, customer_ids[:half])
        return first | await self.ask(merchant_id, purpose, customer_ids[half:])


def _contact(answer: contacts_pb2.CustomerContact) -> Contact:
    return Contact(
        refusal=_REFUSALS.get(answer.refusal, Reason.NO_CONTACT),
        allowed=tuple(
            Way(contacts_pb2.Channel.Name(a.channel).removeprefix("CHANNEL_").lower(), a.address)
            for a in answer.allowed
            if a.channel in contacts_pb2.Channel.values()
        ),
        name=answer.name,
        language=answer.language,
        locale=answer.locale,
        shop=answer.shop_name,
        zone=answer.time_zone,
        quiet=_span(answer.quiet_hours) if answer.HasField("quiet_hours") else None,
        greeting=_span(answer.greeting_hours) if answer.HasField("greeting_hours") else None,
    )


def _span(hours: contacts_pb2.DailyHours) -> Span:
    begin: timeofday_pb2.TimeOfDay = getattr(hours, "from")  # a word of Python
    return Span(_time(begin), _time(hours.to))


def _time(at: timeofday_pb2.TimeOfDay) -> time:
    """Read a time of day; 24:00 is midnight."""
    return time(at.hours % 24, at.minutes)
