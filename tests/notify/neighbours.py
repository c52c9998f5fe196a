"""What notify talks to, as real servers in this process: a mail relay, customers and credit."""

import asyncio
import email
import email.policy
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from typing import Any

import grpc.aio
from aiosmtpd.smtp import SMTP, Envelope, Session
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from kit.ids import new_customer_id
from langganan.credit.v1 import invoices_pb2, invoices_pb2_grpc
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc
from langganan.events.v1 import credit_pb2


class MailSink:
    """A real SMTP server that keeps what it takes and refuses what it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.answer_rcpt, self.answer_data = "250 OK", "250 OK"
        self.refused: set[str] = set()
        self.answer_mail = ""  # what a sender is refused with
        self.answers = asyncio.Event()
        self.answers.set()
        self.sessions = 0
        self.port = 0
        self.smtp: dict[str, Any] = {}  # what the server is made with: TLS, who may log in
        self.tls_from_the_start: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        assert server.transport is not None
        self._open.add(server.transport)
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer_mail:
            return self.answer_mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        if self.answer_rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer_rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer_data.startswith("2"):
            assert isinstance(envelope.content, bytes)
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.taken += [(address, mail) for address in envelope.rcpt_tos]
        await self.answers.wait()  # taken and not yet answered: what a crash must bear
        return self.answer_data

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="sink", loop=loop, decode_data=False, **self.smtp),
            "127.0.0.1",
            self.port,
            ssl=self.tls_from_the_start,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self._open:
            transport.close()
        self._open.clear()
        self.answers.set()
        await self._server.wait_closed()

    def config(self, **more: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "tls": "none", "sender": "toko@example.com", **more}


@dataclass
class Person:
    """What customers knows of one customer."""

    name: str = "Siti Rahayu"
    address: str = "siti@example.com"
    language: str = "id"
    refusal: int = 0
    allowed: list[tuple[int, str]] | None = None
    zone: str = "Asia/Jakarta"
    born: tuple[int, int] | None = None


@dataclass
class Book(contacts_pb2_grpc.ContactServiceServicer):
    """ContactService over the real contract; what it knows is set by the test."""

    people: dict[tuple[str, str], Person] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    fails_with: grpc.StatusCode | None = None
    target: str = ""
    # Local hours of the shop, (from, to); None: it has none.
    quiet: tuple[int, int] | None = None
    greeting: tuple[int, int] | None = None
    purposes: list[str] = field(default_factory=list)
    birthdays_asked: list[tuple[str, int, int]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # merchants for which customers does not answer

    def add(self, merchant: str = "toko", **facts: Any) -> str:
        customer_id = new_customer_id()
        self.people[merchant, customer_id] = Person(**facts)
        return customer_id

    async def GetContacts(
        self, request: contacts_pb2.GetContactsRequest, context: Any
    ) -> contacts_pb2.GetContactsResponse:
        metadata = dict(context.invocation_metadata())
        merchant = metadata["langganan-merchant"]
        self.calls.append((merchant, metadata.get("authorization", ""), len(request.customer_ids)))
        self.purposes.append(contacts_pb2.Purpose.Name(request.purpose).removeprefix("PURPOSE_"))
        if self.fails_with is not None:
            await context.abort(self.fails_with, "as the test wants")
        if self.unreadable & set(request.customer_ids):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "an id cannot be read")
        answer = contacts_pb2.GetContactsResponse()
        for customer_id in request.customer_ids:
            person = self.people.get((merchant, customer_id), Person(refusal=contacts_pb2.REFUSAL_UNKNOWN))
            contact = answer.contacts.add(customer_id=customer_id, refusal=person.refusal)
            contact.time_zone = person.zone
            for span, hours in ((contact.quiet_hours, self.quiet), (contact.greeting_hours, self.greeting)):
                if hours is not None:
                    getattr(span, "from").hours, span.to.hours = hours
            if not person.refusal:
                contact.name, contact.language, contact.locale = person.name, person.language, "id-ID"
                contact.shop_name = "Toko Makmur"
                allowed = person.allowed or [(contacts_pb2.CHANNEL_EMAIL, person.address)]
                for way, address in allowed:
                    contact.allowed.add(channel=way, address=address)
        return answer

    async def ListBirthdays(
        self, request: contacts_pb2.ListBirthdaysRequest, context: Any
    ) -> AsyncIterator[contacts_pb2.ListBirthdaysResponse]:
        merchant = dict(context.invocation_metadata())["langganan-merchant"]
        self.birthdays_asked.append((merchant, request.month, request.day))
        fails_with = grpc.StatusCode.FAILED_PRECONDITION if merchant in self.broken else self.fails_with
        if fails_with is not None:
            await context.abort(fails_with, "as the test wants")
        found = [
            contacts_pb2.Birthday(customer_id=c, month=request.month, day=request.day, time_zone=p.zone)
            for (m, c), p in sorted(self.people.items())
            if m == merchant and p.born == (request.month, request.day)
        ]
        for start in range(0, len(found), 200):
            yield contacts_pb2.ListBirthdaysResponse(birthdays=found[start : start + 200])


@dataclass
class Ledger(invoices_pb2_grpc.InvoiceServiceServicer):
    """credit's InvoiceService over the real contract; what is owed is set by the test."""

    owed: dict[str, tuple[int, date]] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    fails_with: grpc.StatusCode | None = None
    target: str = ""

    def add(self, outstanding: int, due_on: date) -> credit_pb2.OpenInvoice:
        """An invoice on which something is owed, as an event lists it."""
        invoice_id = str(uuid.uuid4())
        self.owed[invoice_id] = (outstanding, due_on)
        return credit_pb2.OpenInvoice(
            invoice_id=invoice_id, outstanding=outstanding, due_on=date_message(due_on)
        )

    async def GetInvoices(
        self, request: invoices_pb2.GetInvoicesRequest, context: Any
    ) -> invoices_pb2.GetInvoicesResponse:
        merchant = dict(context.invocation_metadata())["langganan-merchant"]
        self.calls.append((merchant, len(request.invoice_ids)))
        if self.fails_with is not None:
            await context.abort(self.fails_with, "as the test wants")
        answer = invoices_pb2.GetInvoicesResponse()
        for invoice_id in request.invoice_ids:
            if invoice_id in self.owed:
                owed, due_on = self.owed[invoice_id]
                answer.invoices.add(
                    invoice_id=invoice_id,
                    outstanding=Money(currency_code="IDR", units=owed),
                    due_on=date_message(due_on),
                )
        return answer


def date_message(day: date) -> Date:
    """A local date as protobuf has it."""
    return Date(year=day.year, month=day.month, day=day.day)
