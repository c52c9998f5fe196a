"""A running notify with its neighbours, and the events and requests that tests give it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import grpc.aio
import pytest
from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.testing.running import Running, running
from langganan.credit.v1 import invoices_pb2_grpc
from langganan.customers.v1 import contacts_pb2_grpc
from langganan.events.v1 import credit_pb2, customers_pb2, loyalty_pb2, purchases_pb2
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc, templates_pb2_grpc
from langganan.types.v1 import line_pb2, tender_pb2
from notify.app import build
from notify.settings import Settings
from tests.notify.neighbours import Book, Ledger, MailSink, date_message


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

    async def confirm(self, purchase: Any, **facts: Any) -> str:
        """Make one confirmation for a customer with these facts; return the customer."""
        customer_id = self.book.add(**facts)
        await self.run.deliver(purchase(customer_id, self.run.clock.now()))
        return customer_id

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
        amount = Money(currency_code="IDR", units=total)
        payload = purchases_pb2.PurchaseCompleted(
            merchant_id=merchant,
            purchase_id=str(uuid.uuid4()),
            customer_id=customer_id,
            store_id="S1",
            time_zone="Asia/Makassar",
            currency_code="IDR",
            receipt_number="R-0001",
            lines=[line_pb2.Line(line_id="1", net=amount)],
            total=amount,
        )
        if total:
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
