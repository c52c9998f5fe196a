"""A running credit service, and the things that its tests do to it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from credit.app import build
from credit.settings import Settings
from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from kit.testing.clock import ManualClock
from kit.testing.keys import Keys
from kit.testing.running import Running, running
from langganan.credit.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    allowances_pb2_grpc,
    holds_pb2,
    holds_pb2_grpc,
    invoices_pb2,
    invoices_pb2_grpc,
    payments_pb2,
    payments_pb2_grpc,
    statements_pb2_grpc,
)
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import origin_pb2, tender_pb2

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
TILL = origin_pb2.Origin(store_id="s1", register_id="r1", staff_ref="staff-1", mode=origin_pb2.MODE_ONLINE)


def rupiah(units: int) -> Money:
    return Money(currency_code="IDR", units=units)


def instant(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


@dataclass
class Credit:
    """Clients of a running credit service for one merchant, and events as customers would say them."""

    run: Running
    merchant: str = field(default_factory=lambda: f"toko-{uuid.uuid4().hex[:8]}")
    database_url: str = ""

    def __post_init__(self) -> None:
        self.accounts: accounts_pb2_grpc.AccountServiceAsyncStub = self.stub(
            accounts_pb2_grpc.AccountServiceStub
        )
        self.holds = self.stub(holds_pb2_grpc.HoldServiceStub)
        self.invoices: invoices_pb2_grpc.InvoiceServiceAsyncStub = self.stub(
            invoices_pb2_grpc.InvoiceServiceStub
        )
        self.allowances: allowances_pb2_grpc.AllowanceServiceAsyncStub = self.stub(
            allowances_pb2_grpc.AllowanceServiceStub
        )
        self.payments: payments_pb2_grpc.PaymentServiceAsyncStub = self.stub(
            payments_pb2_grpc.PaymentServiceStub
        )

        self.statements: statements_pb2_grpc.StatementServiceAsyncStub = self.stub(
            statements_pb2_grpc.StatementServiceStub
        )

    def stub(self, stub: Callable[[Any], Any], **options: Any) -> Any:
        return self.run.stub(stub, merchant=self.merchant, **options)

    async def open(self, limit: int = 1_000_000, net_days: int = 30, zone: str = "Asia/Jakarta") -> str:
        """Open an account for a new customer; return the customer."""
        customer = new_customer_id()
        await self.accounts.OpenAccount(self.opening(customer, limit, net_days, zone))
        return customer

    def opening(
        self, customer: str, limit: int = 1_000_000, net_days: int = 30, zone: str = "Asia/Jakarta"
    ) -> accounts_pb2.OpenAccountRequest:
        return accounts_pb2.OpenAccountRequest(
            request_id=new_uuid(),
            customer_id=customer,
            currency_code="IDR",
            minor_digits=0,
            time_zone=zone,
            limit=rupiah(limit),
            net_days=net_days,
        )

    async def account(self, customer: str) -> accounts_pb2.Account:
        reply = await self.accounts.GetAccount(accounts_pb2.GetAccountRequest(customer_id=customer))
        return reply.account

    async def authorize(self, customer: str, amount: int, hold_id: str | None = None) -> holds_pb2.Hold:
        request = holds_pb2.AuthorizeRequest(
            hold_id=hold_id or new_uuid(), customer_id=customer, amount=rupiah(amount), origin=TILL
        )
        return (await self.holds.Authorize(request)).hold

    async def void(self, customer: str, hold_id: str) -> holds_pb2.Hold:
        request = holds_pb2.VoidRequest(hold_id=hold_id, customer_id=customer, origin=TILL)
        return (await self.holds.Void(request)).hold

    async def capture(self, hold: holds_pb2.Hold, amount: int | None = None) -> holds_pb2.Hold:
        """Charge a hold by RPC; all of it unless an amount is given."""
        request = holds_pb2.CaptureRequest(
            hold_id=hold.hold_id,
            customer_id=hold.customer_id,
            amount=None if amount is None else rupiah(amount),
            origin=TILL,
        )
        return (await self.holds.Capture(request)).hold

    async def hold(self, customer: str, hold_id: str) -> holds_pb2.Hold:
        request = holds_pb2.GetHoldRequest(hold_id=hold_id, customer_id=customer)
        return (await self.holds.GetHold(request)).hold

    async def pay(
        self, customer: str, amount: int, payment_id: str | None = None, *, allow: bool = False
    ) -> payments_pb2.Payment:
        request = payments_pb2.RecordPaymentRequest(
            payment_id=payment_id or new_uuid(),
            customer_id=customer,
            amount=rupiah(amount),
            method=payments_pb2.PAYMENT_METHOD_CASH,
            allow_credit_balance=allow,
            origin=TILL,
        )
        return (await self.payments.RecordPayment(request)).payment

    async def invoices_of(self, customer: str) -> list[invoices_pb2.Invoice]:
        """All invoices of a customer, newest first."""
        request = invoices_pb2.ListInvoicesRequest(customer_id=customer, page_size=200)
        return list((await self.invoices.ListInvoices(request)).invoices)

    async def exceptions_of(self, customer: str) -> list[invoices_pb2.InvoiceException]:
        request = invoices_pb2.ListExceptionsRequest(customer_id=customer)
        return list((await self.invoices.ListExceptions(request)).exceptions)

    def sale(
        self,
        customer: str,
        *tenders: tuple[int, str | None],
        purchase_id: str | None = None,
        at: datetime = NOON,
        payer: str = "",
        digits: int = 0,
        zone: str = "Asia/Makassar",
    ) -> Outgoing:
        """A finished sale with on-account tenders (amount, hold id) named t1, t2, …"""
        payload = purchases_pb2.PurchaseCompleted(
            merchant_id=self.merchant,
            purchase_id=purchase_id or new_uuid(),
            customer_id=customer,
            store_id="s1",
            time_zone=zone,
            currency_code="IDR",
            minor_digits=digits,
            effective_at=instant(at),
            tenders=[
                tender_pb2.Tender(
                    tender_id=f"t{number}",
                    amount=rupiah(amount),
                    on_account=tender_pb2.OnAccount(hold_id=hold_id, account_customer_id=payer),
                )
                for number, (amount, hold_id) in enumerate(tenders, start=1)
            ],
        )
        return Outgoing("purchase-completed", self.merchant, customer, payload, at)

    def returned(
        self,
        sale: Outgoing,
        amount: int,
        *,
        tender: str = "t1",
        return_id: str | None = None,
        at: datetime = NOON + timedelta(days=1),
    ) -> Outgoing:
        """A return that refunds `amount` through one on-account tender of a sale."""
        sold: Any = sale.payload
        (paid,) = (t for t in sold.tenders if t.tender_id == tender)
        payload = purchases_pb2.PurchaseReturned(
            merchant_id=self.merchant,
            return_id=return_id or new_uuid(),
            purchase_id=sold.purchase_id,
            customer_id=sold.customer_id,
            currency_code="IDR",
            effective_at=instant(at),
            refunds=[
                purchases_pb2.TenderRefund(
                    tender_id=tender,
                    kind=tender_pb2.TENDER_KIND_ON_ACCOUNT,
                    amount=amount,
                    account_customer_id=paid.on_account.account_customer_id,
                )
            ],
        )
        return Outgoing("purchase-returned", self.merchant, sale.key, payload, at)

    async def deliver(self, *events: Outgoing) -> None:
        await self.run.deliver(*events)

    async def facts(self, customer: str) -> list[Any]:
        """What the service has said about a customer, in order."""
        return [f for f in await self.run.published() if f.customer_id == customer]

    async def parked(self, customer: str) -> list[str]:
        """Why events of a customer are parked."""
        rows = await self.run.pool.fetch(
            "SELECT * FROM parked_events WHERE merchant_id = $1 AND key = $2 ORDER BY 1",
            self.merchant,
            customer,
        )
        return [str(dict(row)) for row in rows]

    async def count(self, table: str) -> int:
        """How many rows of a table this merchant has."""
        sql = f"SELECT count(*) FROM {table} WHERE merchant_id = $1"
        return int(await self.run.pool.fetchval(sql, self.merchant))

    async def check_books(self, customer: str) -> None:
        """The cached balances are the folds of ledger, holds and invoices."""
        row = await self.run.pool.fetchrow(
            """
            SELECT
                a.posted, a.credit_balance, a.held,
                (SELECT coalesce(sum(e.posted), 0) FROM entries e
                 WHERE (e.merchant_id, e.customer_id) = ($1, $2)) p,
                (SELECT coalesce(sum(e.credit), 0) FROM entries e
                 WHERE (e.merchant_id, e.customer_id) = ($1, $2)) c,
                (SELECT coalesce(sum(i.outstanding - i.written_off), 0) FROM invoices i
                 WHERE (i.merchant_id, i.customer_id) = ($1, $2)) o,
                (SELECT coalesce(sum(h.amount), 0) FROM holds h
                 WHERE (h.merchant_id, h.customer_id) = ($1, $2) AND h.state = 'PENDING') h
            FROM accounts a WHERE (a.merchant_id, a.customer_id) = ($1, $2)
            """,
            self.merchant,
            customer,
        )
        assert row is not None
        assert row["posted"] == row["p"] == row["o"]
        assert row["credit_balance"] == row["c"]
        assert row["held"] == row["h"]


@pytest.fixture(scope="session")
async def credit_settings(new_database: Callable[..., Awaitable[str]]) -> Settings:
    """A migrated database for the session."""
    return Settings(database_url=await new_database("credit"))


@pytest.fixture(scope="session")
async def credit_service(keys: Keys, credit_settings: Settings) -> AsyncIterator[Running]:
    """One running service for the session; each test has a merchant of its own."""
    async with running("credit", build, credit_settings, keys, ManualClock(NOON)) as run:
        yield run


@pytest.fixture
def credit(credit_service: Running) -> Credit:
    """The service, for a merchant that no other test sees."""
    return Credit(credit_service)


@pytest.fixture
async def alone(
    new_database: Callable[..., Awaitable[str]], keys: Keys
) -> AsyncIterator[Callable[..., Awaitable[Credit]]]:
    """`await alone(at)`: a service with a database of its own and a clock that stands at `at` until moved."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(at: datetime = NOON, **settings: Any) -> Credit:
            own = Settings(database_url=await new_database("credit"), **settings)
            run = await stack.enter_async_context(running("credit", build, own, keys, ManualClock(at)))
            return Credit(run, database_url=own.database_url)

        yield start


@pytest.fixture
async def other_processes(
    credit_service: Running, credit_settings: Settings, keys: Keys
) -> AsyncIterator[Callable[[str], list[holds_pb2_grpc.HoldServiceAsyncStub]]]:
    """Three more servers on the same database, as three more pods would be."""
    async with contextlib.AsyncExitStack() as stack:
        more = [running("credit", build, credit_settings, keys, credit_service.clock) for _ in range(3)]
        runs = [await stack.enter_async_context(each) for each in more]
        yield lambda merchant: [run.stub(holds_pb2_grpc.HoldServiceStub, merchant=merchant) for run in runs]


@pytest.fixture
async def other_workers(
    credit_service: Running, credit_settings: Settings, keys: Keys
) -> AsyncIterator[list[Running]]:
    """Two more services on the same database, whose consumers take polls beside the first one's."""
    async with contextlib.AsyncExitStack() as stack:
        more = [running("credit", build, credit_settings, keys, credit_service.clock) for _ in range(2)]
        yield [await stack.enter_async_context(each) for each in more]
