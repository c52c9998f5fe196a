"""A shop for tests of faults: a sale that touches all four services, and what the books must say of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from kit import failpoints
from kit.testing import eventually
from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.credit.v1 import holds_pb2, invoices_pb2
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2, purchases_pb2
from langganan.loyalty.v1 import accounts_pb2 as points_pb2
from langganan.loyalty.v1 import programs_pb2, redemptions_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from local.demo.gateway import Gateway
from local.services import command, environment
from local.stack import Stack

ORIGIN = origin_pb2.Origin(store_id="S1", register_id="R1", staff_ref="kasir-1", mode=origin_pb2.MODE_ONLINE)
STEP = 1_000  # rupiah a point
POINT = 10  # rupiah that a point is worth
LIMIT = 1_000_000
Reply = TypeVar("Reply")


def rupiah(amount: int) -> Money:
    return Money(currency_code="IDR", units=amount)


async def operate(stack: Stack, service: str, *arguments: str) -> tuple[int, str]:
    """Run an operator's command of a service; return (exit code, what it printed)."""
    process = await asyncio.create_subprocess_exec(
        *command(service, arguments[0]),
        *arguments[1:],
        env=environment(service, stack.settings, stack.around),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode()


@dataclass(frozen=True)
class Books:
    """What is written of one customer, in all four services."""

    points: int
    posted: int
    held: int
    invoices: tuple[int, ...]
    purchases: int
    messages: int  # distinct Message-IDs at the sink


class Trade:
    """One merchant's till in a running stack."""

    def __init__(self, stack: Stack, till: Gateway) -> None:
        self.stack, self.till = stack, till
        self.emails: dict[str, str] = {}

    async def open(self) -> None:
        """Set the merchant and its program."""
        merchant = merchants_pb2.Merchant(
            name="Toko Maju", currency_code="IDR", time_zone="Asia/Jakarta", locale="id-ID"
        )
        wanted = merchants_pb2.SetMerchantRequest(request_id=str(uuid.uuid4()), merchant=merchant)
        await self.till.call("SetMerchant", self.till.merchants.SetMerchant, wanted)
        program = programs_pb2.Program(
            effective_from=Timestamp(seconds=int(self.stack.clock.now().timestamp()) - 86_400),
            currency_code="IDR",
            earning=[programs_pb2.PluginChoice(plugin="per_amount", config_json=json.dumps({"step": STEP}))],
            tier_plugin=programs_pb2.PluginChoice(
                plugin="rolling_spend", config_json=json.dumps({"window_days": 365, "thresholds": {"New": 0}})
            ),
            tiers=[
                programs_pb2.Tier(name="New", benefits=programs_pb2.Benefits(multiplier_basis_points=10_000))
            ],
            point_value=rupiah(POINT),
        )
        request = programs_pb2.SetProgramRequest(request_id=str(uuid.uuid4()), program=program)
        await self.till.call("SetProgram", self.till.programs.SetProgram, request)

    def new_customer(self) -> profiles_pb2.CreateCustomerRequest:
        """A request to register somebody with an e-mail address."""
        email = f"sari.{uuid.uuid4().hex[:12]}@example.com"
        customer = profiles_pb2.Customer(
            kind=profiles_pb2.CUSTOMER_KIND_PERSON,
            full_name="Sari Wulandari",
            contact_points=[contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_EMAIL, address=email)],
            language="id",
        )
        return profiles_pb2.CreateCustomerRequest(
            request_id=str(uuid.uuid4()), customer=customer, origin=ORIGIN
        )

    async def register(self, request: profiles_pb2.CreateCustomerRequest | None = None) -> str:
        """Register a customer with a limit; return the customer_id."""
        request = request or self.new_customer()
        made = await self.till.call("CreateCustomer", self.till.profiles.CreateCustomer, request)
        customer_id = made.customer.customer_id
        self.emails[customer_id] = request.customer.contact_points[0].address
        account = credit_pb2.OpenAccountRequest(
            request_id=str(uuid.uuid4()),
            customer_id=customer_id,
            currency_code="IDR",
            minor_digits=0,
            time_zone="Asia/Jakarta",
            limit=rupiah(LIMIT),
            net_days=14,
            staff_ref="kasir-1",
        )
        await self.till.call("OpenAccount", self.till.credit.OpenAccount, account)
        return customer_id

    async def authorize(self, customer_id: str, amount: int, hold_id: str) -> holds_pb2.Hold:
        """Hold credit."""
        request = holds_pb2.AuthorizeRequest(
            hold_id=hold_id, customer_id=customer_id, amount=rupiah(amount), origin=ORIGIN
        )
        return (await self.till.call("Authorize", self.till.holds.Authorize, request)).hold

    async def reserve(
        self, customer_id: str, points: int, reservation_id: str
    ) -> redemptions_pb2.Reservation:
        """Hold points."""
        request = redemptions_pb2.ReserveRequest(
            reservation_id=reservation_id, customer_id=customer_id, points=points, origin=ORIGIN
        )
        return (await self.till.call("Reserve", self.till.redemptions.Reserve, request)).reservation

    async def sell(
        self, customer_id: str, *, cash: int = 0, credit: int = 0, points: int = 0, purchase_id: str = ""
    ) -> str:
        """Sell one line, paid by these; every step is sent until it is answered."""
        tenders: list[tender_pb2.Tender] = []
        if points:
            held = await self.reserve(customer_id, points, str(uuid.uuid4()))
            assert held.state == redemptions_pb2.RESERVATION_STATE_HELD, held
            tenders.append(tender_pb2.Tender(tender_id="points", amount=rupiah(points * POINT)))
            tenders[-1].points.reservation_id = held.reservation_id
        if credit:
            hold = await self.authorize(customer_id, credit, str(uuid.uuid4()))
            assert hold.state == holds_pb2.HOLD_STATE_PENDING, hold
            tenders.append(tender_pb2.Tender(tender_id="credit", amount=rupiah(credit)))
            tenders[-1].on_account.hold_id = hold.hold_id
        if cash:
            tenders.append(tender_pb2.Tender(tender_id="cash", amount=rupiah(cash)))
            tenders[-1].cash.CopyFrom(tender_pb2.Cash(tendered=rupiah(cash), change=rupiah(0)))
        return await self.record(customer_id, tenders, purchase_id or str(uuid.uuid4()))

    async def record(
        self,
        customer_id: str,
        tenders: list[tender_pb2.Tender],
        purchase_id: str,
        origin: origin_pb2.Origin = ORIGIN,
    ) -> str:
        """Record a finished sale of one line."""
        total = rupiah(sum(one.amount.units for one in tenders))
        request = purchases_pb2.RecordPurchaseRequest(
            purchase_id=purchase_id,
            customer_id=customer_id,
            recognised_by=origin_pb2.RECOGNISED_BY_STAFF,
            origin=origin,
            receipt_number="0001",
            occurred_at=Timestamp(seconds=int(self.stack.clock.now().timestamp())),
            lines=[
                line_pb2.Line(
                    line_id="1",
                    product_id="beras-5kg",
                    name="Beras 5 kg",
                    kind=line_pb2.LINE_KIND_GOODS,
                    quantity=line_pb2.Quantity(thousandths=1_000, unit="pcs"),
                    net=total,
                )
            ],
            tenders=tenders,
            total=total,
        )
        await self.till.call("RecordPurchase", self.till.purchases.RecordPurchase, request)
        return purchase_id

    async def books(self, customer_id: str) -> Books:
        """What is written of a customer."""
        till = self.till
        points = await till.call(
            "GetAccount", till.points.GetAccount, points_pb2.GetAccountRequest(customer_id=customer_id)
        )
        credit = await till.call(
            "GetAccount", till.credit.GetAccount, credit_pb2.GetAccountRequest(customer_id=customer_id)
        )
        invoices = await till.call(
            "ListInvoices",
            till.invoices.ListInvoices,
            invoices_pb2.ListInvoicesRequest(customer_id=customer_id),
        )
        purchases = await till.call(
            "ListPurchases",
            till.purchases.ListPurchases,
            purchases_pb2.ListPurchasesRequest(customer_id=customer_id),
        )
        return Books(
            points=points.account.balance,
            posted=credit.account.posted.units,
            held=credit.account.held.units,
            invoices=tuple(sorted(invoice.amount.units for invoice in invoices.invoices)),
            purchases=len(purchases.purchases),
            messages=len(self.mails(customer_id)),
        )

    def mails(self, customer_id: str) -> Counter[str]:
        """How often each Message-ID arrived for a customer."""
        return Counter(mail.message_id for mail in self.stack.mail.to(self.emails[customer_id]))

    async def update_once(self, request: profiles_pb2.UpdateCustomerRequest) -> bool:
        """Send a request once, as a till that is switched off before its answer; whether one came."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            metadata = (("authorization", f"Bearer {self.stack.token()}"),)
            await self.till.profiles.UpdateCustomer(request, metadata=metadata, timeout=20)
            return True
        return False

    async def dies_at(self, service: str, point: str, folder: Path, work: Awaitable[Reply]) -> Reply:
        """Do some work while `service` dies at `point`, once, and is started again."""
        marker = folder / "hit"
        os.environ[failpoints.VARIABLE] = f"{point}={marker}"
        try:
            await self.stack.restart(service)
            doing = asyncio.ensure_future(work)
            await eventually(marker.exists, within=60)
            part = self.stack.parts[service]
            await eventually(lambda: part.pid is None, within=10)
            assert part.stop() == -9, "it died as a crash would end it"
            await self.stack.restart(service)
            return await doing
        finally:
            del os.environ[failpoints.VARIABLE]
