"""Asks customers who has a birthday on a day of the calendar. Keeps nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from kit.rpc.line import Line
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc
from notify.calls import FAILURES, why


class BirthdaysUnavailable(Exception):
    """Customers did not answer, or not usably; the message is the gRPC code."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who has the birthday, and the zone in which it is a local date."""

    customer_id: str
    zone: str


class Birthdays:
    """A client of customers.ContactService; a whole list may take as long as `timeout_s`."""

    def __init__(self, line: Line, timeout_s: float) -> None:
        self._line, self._timeout_s = line, timeout_s
        self._stub: contacts_pb2_grpc.ContactServiceAsyncStub = contacts_pb2_grpc.ContactServiceStub(
            line.channel
        )

    async def born_on(self, merchant_id: str, month: int, day: int) -> AsyncIterator[Sequence[Person]]:
        """Yield the merchant's people by batches of up to 200; raise BirthdaysUnavailable."""
        request = contacts_pb2.ListBirthdaysRequest(month=month, day=day)
        try:
            answers = self._stub.ListBirthdays(
                request, timeout=self._timeout_s, metadata=self._line.metadata(merchant_id)
            )
            async for answer in answers:
                yield [Person(one.customer_id, one.time_zone) for one in answer.birthdays]
        except FAILURES as error:
            raise BirthdaysUnavailable(why(error)) from error
