"""What notify talks to, as real servers in this process: a mail relay, customers and credit."""

import asyncio
import email
import email.policy
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import grpc.aio
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import new_customer_id
from kit.testing.running import Running, running
from langganan.credit.v1 import invoices_pb2, invoices_pb2_grpc
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc
from langganan.events.v1 import credit_pb2, customers_pb2, loyalty_pb2, purchases_pb2
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc, templates_pb2_grpc
from langganan.types.v1 import line_pb2, tender_pb2
from notify.app import build
from notify.settings import Settings


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


@dataclass
class Notify:
    """The running service with what stands around it."""

    run: Running
    book: Book
    ledger: Ledger
    sink: MailSink
    messages: Any
    templates: Any

    def at(self, text: str, zone: str = "Asia/Jakarta") -> datetime:
        """Move the clock to a local time, and return it: at("2026-03-05T22:00")."""
        instant = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
        return self.run.clock.advance(instant - self.run.clock.now())

    async def occasions(self) -> int:
        return await self.run.sweep("occasions")

    @property
    def sent_to(self) -> list[str]:
        return [address for address, _ in self.sink.taken]

    async def sweep(self) -> int:
        return await self.run.sweep("messages")

    async def sweep_until_idle(self) -> int:
        total = 0
        while done := await self.sweep():
            total += done
        return total

    async def listed(self, customer_id: str = "", **more: Any) -> list[messages_pb2.Message]:
        request = messages_pb2.ListMessagesRequest(customer_id=customer_id, **more)
        return list((await self.messages.ListMessages(request)).messages)

    async def only(self, customer_id: str) -> messages_pb2.Message:
        (message,) = await self.listed(customer_id)
        return message


@pytest.fixture
async def sink() -> AsyncIterator[MailSink]:
    """A mail relay on a free port."""
    relay = MailSink()
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def book() -> AsyncIterator[Book]:
    """customers' ContactService on a free port."""
    servicer = Book()
    server = grpc.aio.server()
    contacts_pb2_grpc.add_ContactServiceServicer_to_server(servicer, server)
    servicer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(None)


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    """credit's InvoiceService on a free port."""
    servicer = Ledger()
    server = grpc.aio.server()
    invoices_pb2_grpc.add_InvoiceServiceServicer_to_server(servicer, server)
    servicer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield servicer
    await server.stop(None)


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Databases that a test has left empty: emptying one is faster than making and dropping one."""
    return []


async def empty(database_url: str) -> None:
    """Empty every table but the list of migrations."""
    conn = await asyncpg.connect(database_url)
    try:
        rows = await conn.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
        )
        await conn.execute(f"TRUNCATE {', '.join(row['name'] for row in rows)} RESTART IDENTITY")
    finally:
        await conn.close()


@pytest.fixture
async def start_notify(
    new_database: Any,
    spare_databases: list[str],
    keys: Any,
    book: Book,
    ledger: Ledger,
    sink: MailSink,
    tmp_path: Any,
) -> Any:
    """`async with start_notify(retry_s=…) as notify`: the service on a database of its own."""
    (tmp_path / "token").write_text("a-service-token\n")

    @asynccontextmanager
    async def start(database_url: str | None = None, **knobs: Any) -> AsyncIterator[Notify]:
        url = database_url or (spare_databases.pop() if spare_databases else await new_database("notify"))
        values: dict[str, Any] = {
            "database_url": url,
            "customers_target": book.target,
            "credit_target": ledger.target,
            "token_file": tmp_path / "token",
            "channels": {"email": sink.config()},
            "retry_s": 0.05,
            "lease_s": 30.0,
        }
        async with running("notify", build, Settings(**(values | knobs)), keys) as run:
            messages: Any = run.stub(messages_pb2_grpc.MessageServiceStub)
            templates: Any = run.stub(templates_pb2_grpc.TemplateServiceStub)
            yield Notify(run, book, ledger, sink, messages, templates)
        if database_url is None:
            await empty(url)
            spare_databases.append(url)

    return start


@pytest.fixture
async def notify(start_notify: Any) -> AsyncIterator[Notify]:
    """The service as most tests want it."""
    async with start_notify() as running_service:
        yield running_service


@pytest.fixture
def purchase() -> Any:
    """`purchase(customer_id, at, total=12500)`: a purchase-completed event."""

    def make(
        customer_id: str, at: datetime, total: int = 12_500, merchant: str = "toko", **more: Any
    ) -> Outgoing:
        payload = purchases_pb2.PurchaseCompleted(
            merchant_id=merchant,
            purchase_id=str(uuid.uuid4()),
            customer_id=customer_id,
            store_id="S1",
            time_zone="Asia/Makassar",
            currency_code="IDR",
            minor_digits=0,
            receipt_number="R-0001",
            lines=[line_pb2.Line(line_id="1", net=Money(currency_code="IDR", units=total))],
            total=Money(currency_code="IDR", units=total),
            revision=1,
        )
        if total:
            amount = Money(currency_code="IDR", units=total)
            payload.tenders.append(tender_pb2.Tender(tender_id="1", amount=amount, cash=tender_pb2.Cash()))
        for stamp in (payload.occurred_at, payload.received_at, payload.effective_at):
            stamp.FromDatetime(at)
        for name, value in more.items():
            setattr(payload, name, value)
        return Outgoing("purchase-completed", merchant, customer_id or payload.purchase_id, payload, at)

    return make


@pytest.fixture
def erased() -> Any:
    """`erased(customer_id, at)`: a customer-erased event."""

    def make(customer_id: str, at: datetime, merchant: str = "toko") -> Outgoing:
        payload = customers_pb2.CustomerErased(merchant_id=merchant, customer_id=customer_id)
        payload.erased_at.FromDatetime(at)
        return Outgoing("customer-erased", merchant, customer_id, payload, at)

    return make


@pytest.fixture
def merged() -> Any:
    """`merged(absorbed, surviving, at)`: a customer-merged event."""

    def make(absorbed: str, surviving: str, at: datetime, merchant: str = "toko") -> Outgoing:
        payload = customers_pb2.CustomerMerged(
            merchant_id=merchant, absorbed_customer_id=absorbed, surviving_customer_id=surviving
        )
        payload.merged_at.FromDatetime(at)
        return Outgoing("customer-merged", merchant, absorbed, payload, at)

    return make


@pytest.fixture
def send_request() -> Any:
    """`send_request(customer_id, **changes)`: a SendMessage request under a fresh id."""

    def make(customer_id: str, **more: Any) -> messages_pb2.SendMessageRequest:
        rupiah = Money(currency_code="IDR", units=12_500)
        at = messages_pb2.TimeVariable(time_zone="Asia/Jakarta")
        at.instant.FromDatetime(datetime(2026, 1, 15, 2, tzinfo=UTC))
        values = {
            "message_id": str(uuid.uuid4()),
            "customer_id": customer_id,
            "template": "purchase-confirmation",
            "variables": {
                "receipt_number": messages_pb2.Variable(text="R-7"),
                "store": messages_pb2.Variable(text="S1"),
                "items": messages_pb2.Variable(integer=3),
                "total": messages_pb2.Variable(money=messages_pb2.MoneyVariable(amount=rupiah)),
                "time": messages_pb2.Variable(time=at),
            },
        }
        return messages_pb2.SendMessageRequest(**(values | more))

    return make


@pytest.fixture
def due() -> Any:
    """`due(customer_id, at, today, due=[…], overdue=[…])`: payment-due or, with overdue ones, -overdue."""

    def make(customer_id: str, at: datetime, today: date, merchant: str = "toko", **lists: Any) -> Outgoing:
        facts: dict[str, Any] = {
            "merchant_id": merchant,
            "customer_id": customer_id,
            "local_date": date_message(today),
            "currency_code": "IDR",
        }
        if lists.get("overdue"):
            payload: Any = credit_pb2.PaymentOverdue(**facts, **lists)
            return Outgoing("payment-overdue", merchant, customer_id, payload, at)
        return Outgoing("payment-due", merchant, customer_id, credit_pb2.PaymentDue(**facts, **lists), at)

    return make


@pytest.fixture
def paid() -> Any:
    """`paid(customer_id, at, amount, outstanding=…)`: a payment-received event."""

    def make(customer_id: str, at: datetime, amount: int, merchant: str = "toko", **more: Any) -> Outgoing:
        payload = credit_pb2.PaymentReceived(
            merchant_id=merchant,
            customer_id=customer_id,
            payment_id=str(uuid.uuid4()),
            amount=amount,
            currency_code="IDR",
            **more,
        )
        payload.received_at.FromDatetime(at)
        return Outgoing("payment-received", merchant, customer_id, payload, at)

    return make


@pytest.fixture
def bounced() -> Any:
    """`bounced(customer_id, at, amount, reason=…, outstanding=…)`: a payment-reversed event."""

    def make(customer_id: str, at: datetime, amount: int, merchant: str = "toko", **more: Any) -> Outgoing:
        facts: dict[str, Any] = {"payment_id": str(uuid.uuid4()), "reason": "BOUNCED"} | more
        payload = credit_pb2.PaymentReversed(
            merchant_id=merchant, customer_id=customer_id, amount=amount, currency_code="IDR", **facts
        )
        payload.reversed_at.FromDatetime(at)
        return Outgoing("payment-reversed", merchant, customer_id, payload, at)

    return make


@pytest.fixture
def expiring() -> Any:
    """`expiring(customer_id, at, {date: points})`: a points-expiring event of the date of Jakarta."""

    def make(customer_id: str, at: datetime, lots: dict[date, int], merchant: str = "toko") -> Outgoing:
        payload = loyalty_pb2.PointsExpiring(
            merchant_id=merchant,
            customer_id=customer_id,
            lots=[
                loyalty_pb2.ExpiringLot(points=points, expires_on=date_message(on))
                for on, points in lots.items()
            ],
            points=sum(lots.values()),
            local_date=date_message(at.astimezone(ZoneInfo("Asia/Jakarta")).date()),
        )
        payload.noticed_at.FromDatetime(at)
        return Outgoing("points-expiring", merchant, customer_id, payload, at)

    return make


@pytest.fixture
def tier() -> Any:
    """`tier(customer_id, at, "Regular", "VIP", revision=2)`: a tier-changed event."""

    def make(
        customer_id: str, at: datetime, before: str, now: str, merchant: str = "toko", **more: Any
    ) -> Outgoing:
        values = {"cause": "PLUGIN", "cause_id": "2026-03-05", "revision": 2, **more}
        payload = loyalty_pb2.TierChanged(
            merchant_id=merchant, customer_id=customer_id, from_tier=before, to_tier=now, **values
        )
        payload.effective_at.FromDatetime(at)
        return Outgoing("tier-changed", merchant, customer_id, payload, at)

    return make


@pytest.fixture
def registered() -> Any:
    """`registered(customer_id, at)`: a customer-registered event."""

    def make(customer_id: str, at: datetime, merchant: str = "toko") -> Outgoing:
        payload = customers_pb2.CustomerRegistered(merchant_id=merchant, customer_id=customer_id)
        return Outgoing("customer-registered", merchant, customer_id, payload, at)

    return make
