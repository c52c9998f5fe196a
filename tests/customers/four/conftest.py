"""All four services in this process, each with its real database; events are carried by hand, in order."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from credit.app import build as build_credit
from credit.settings import Settings as CreditSettings
from customers.app import build
from customers.settings import Settings
from kit.events import Outgoing
from kit.ids import new_uuid
from kit.testing.running import Running, _event_class, running
from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.credit.v1 import accounts_pb2_grpc as credit_grpc
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from langganan.customers.v1 import (
    contacts_pb2,
    contacts_pb2_grpc,
    merchants_pb2,
    merchants_pb2_grpc,
    profiles_pb2,
    profiles_pb2_grpc,
    purchases_pb2,
    purchases_pb2_grpc,
    returns_pb2,
)
from langganan.loyalty.v1 import programs_pb2, programs_pb2_grpc
from langganan.types.v1.line_pb2 import LINE_KIND_GOODS, Line, Quantity
from langganan.types.v1.origin_pb2 import MODE_ONLINE, Origin
from langganan.types.v1.tender_pb2 import Cash, OnAccount, Tender
from local.tokens import SERVICE_SCOPES
from loyalty.app import build as build_loyalty
from loyalty.settings import Settings as LoyaltySettings
from notify.app import build as build_notify
from notify.settings import Settings as NotifySettings

ORIGIN = Origin(store_id="pusat", register_id="r1", staff_ref="staff-9", mode=MODE_ONLINE)


def rupiah(units: int) -> Money:
    return Money(currency_code="IDR", units=units)


@dataclass
class Four:
    """The running services, and how far each outbox has been carried."""

    customers: Running
    loyalty: Running
    credit: Running
    notify: Running
    vault: Any
    settings: Settings
    carried: dict[str, int] = field(default_factory=dict)

    async def carry(self) -> None:
        """Carry what is new in each outbox to whoever hears it, until nothing is new."""
        hears = {
            "customers": (self.loyalty, self.credit, self.notify),
            "loyalty": (self.customers, self.notify),
            "credit": (self.customers, self.notify),
        }
        while True:
            fresh = 0
            for topic, hearers in hears.items():
                events = await self.fresh(topic)
                fresh += len(events)
                for hearer in hearers if events else ():
                    if hearer.service.consumer and topic in hearer.service.consumer.topics:
                        await hearer.deliver(*events, topic=topic)
            if not fresh:
                return

    async def fresh(self, topic: str) -> list[Outgoing]:
        """What an outbox got since it was last asked."""
        pool = getattr(self, topic).pool
        rows = await pool.fetch("SELECT * FROM outbox WHERE id > $1 ORDER BY id", self.carried.get(topic, 0))
        if rows:
            self.carried[topic] = rows[-1]["id"]
        return [
            Outgoing(
                r["type"], r["merchant_id"], r["key"], _event_class(r["type"]).FromString(r["payload"]),
                r["time"], str(r["event_id"]),
            )
            for r in rows
        ]  # fmt: skip


@pytest.fixture(scope="session")
async def four(new_database: Any, keys: Any, tmp_path_factory: Any) -> AsyncIterator[Four]:
    """All four services; customers may call the others as a service, with the scopes that it has anywhere."""
    folder = tmp_path_factory.mktemp("four")
    token = folder / "token"
    token.write_text(keys.token(merchant=None, issuer="cluster", subject="customers"))
    trust: dict[str, Any] = {
        "cluster_issuer": "cluster",
        "cluster_jwks_files": [keys.jwks],
        "service_scopes": {"customers": SERVICE_SCOPES["customers"]},
    }
    vault_url = await new_database("customers", "vault/migrations", events=False)
    loyalty = LoyaltySettings(database_url=await new_database("loyalty"), **trust)
    credit = CreditSettings(database_url=await new_database("credit"), **trust)
    notify = NotifySettings(database_url=await new_database("notify"), channels={"console": {}}, **trust)
    async with (
        asyncpg.create_pool(vault_url, min_size=1, max_size=2) as vault,
        running("loyalty", build_loyalty, loyalty, keys) as run_loyalty,
        running("credit", build_credit, credit, keys) as run_credit,
        running("notify", build_notify, notify, keys) as run_notify,
    ):
        settings = Settings(
            database_url=await new_database("customers"),
            vault_database_url=vault_url,
            vault_keys_config={"path": str(folder / "keys.json"), "create": True},
            token_file=token,
            loyalty_target=f"127.0.0.1:{run_loyalty.port}",
            credit_target=f"127.0.0.1:{run_credit.port}",
            notify_target=f"127.0.0.1:{run_notify.port}",
        )
        async with running("customers", build, settings, keys) as run:
            yield Four(run, run_loyalty, run_credit, run_notify, vault, settings)


@dataclass
class Shop:
    """A merchant of its own: a point for each Rp 1,000, and what its tills do."""

    four: Four
    merchant: str
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        run = self.four.customers
        self.profiles: Any = run.stub(profiles_pb2_grpc.CustomerServiceStub, merchant=self.merchant)
        self.contacts: Any = run.stub(contacts_pb2_grpc.ContactServiceStub, merchant=self.merchant)
        self.purchases: Any = run.stub(purchases_pb2_grpc.PurchaseServiceStub, merchant=self.merchant)
        self.credit: Any = self.four.credit.stub(credit_grpc.AccountServiceStub, merchant=self.merchant)
        self.holds: Any = self.four.credit.stub(holds_pb2_grpc.HoldServiceStub, merchant=self.merchant)

    async def open(self) -> None:
        merchants: Any = self.four.customers.stub(
            merchants_pb2_grpc.MerchantServiceStub, merchant=self.merchant
        )
        merchant = merchants_pb2.Merchant(
            name="Toko Maju", currency_code="IDR", time_zone="Asia/Jakarta", locale="id-ID"
        )
        await merchants.SetMerchant(
            merchants_pb2.SetMerchantRequest(request_id=new_uuid(), merchant=merchant)
        )
        programs: Any = self.four.loyalty.stub(programs_pb2_grpc.ProgramServiceStub, merchant=self.merchant)
        start = self.four.loyalty.clock.now() - timedelta(days=1)
        program = programs_pb2.Program(
            effective_from=Timestamp(seconds=int(start.timestamp())),
            currency_code="IDR",
            earning=[programs_pb2.PluginChoice(plugin="per_amount", config_json=json.dumps({"step": 1000}))],
            point_value=rupiah(10),
        )
        await programs.SetProgram(programs_pb2.SetProgramRequest(request_id=new_uuid(), program=program))

    async def customer(self, name: str, phone: str, **fields: Any) -> str:
        """A customer with an account at credit."""
        point = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=phone)
        profile = profiles_pb2.Customer(full_name=name, contact_points=[point], **fields)
        request = profiles_pb2.CreateCustomerRequest(request_id=new_uuid(), customer=profile, origin=ORIGIN)
        customer_id: str = (await self.profiles.CreateCustomer(request)).customer.customer_id
        await self.credit.OpenAccount(
            credit_pb2.OpenAccountRequest(
                request_id=new_uuid(), customer_id=customer_id, currency_code="IDR",
                time_zone="Asia/Jakarta", limit=rupiah(1_000_000), net_days=30,
            )
        )  # fmt: skip
        return customer_id

    async def consent(self, customer_id: str, phone: str, purpose: contacts_pb2.Purpose.ValueType) -> None:
        """Evidence of a consent for a phone."""
        await self.contacts.SetConsent(
            contacts_pb2.SetConsentRequest(
                request_id=new_uuid(), customer_id=customer_id, purpose=purpose, address=phone,
                channel=contacts_pb2.CHANNEL_PHONE, state=contacts_pb2.CONSENT_STATE_GIVEN, origin=ORIGIN,
                method=contacts_pb2.CONSENT_METHOD_TILL_SCREEN, notice_version="2026-1", notice_language="id",
            )
        )  # fmt: skip

    async def hold(self, customer_id: str, net: int) -> str:
        """Keep credit aside; return the hold."""
        hold_id = new_uuid()
        await self.holds.Authorize(
            holds_pb2.AuthorizeRequest(
                hold_id=hold_id, customer_id=customer_id, amount=rupiah(net), origin=ORIGIN
            )
        )
        return hold_id

    async def sale(
        self, customer_id: str, net: int = 50_000, *, on_account: bool = False, hold_id: str = ""
    ) -> str:
        """Sell one line of two pieces, a minute after the one before; return the purchase."""
        self.four.customers.clock.advance(timedelta(minutes=1))
        tender = Tender(tender_id="t", amount=rupiah(net), cash=Cash())
        if on_account or hold_id:
            hold_id = hold_id or await self.hold(customer_id, net)
            tender = Tender(tender_id="t", amount=rupiah(net), on_account=OnAccount(hold_id=hold_id))
        at = Timestamp(seconds=int(self.four.customers.clock.now().timestamp()) - 60)
        request = purchases_pb2.RecordPurchaseRequest(
            purchase_id=new_uuid(), customer_id=customer_id, origin=ORIGIN,
            receipt_number=f"R-{next(self.numbers)}", occurred_at=at,
            lines=[
                Line(
                    line_id="1", product_id="p1", name="Beras 5 kg", kind=LINE_KIND_GOODS,
                    quantity=Quantity(thousandths=2000, unit="pcs"), net=rupiah(net),
                )
            ],
            tenders=[tender] if net else [], total=rupiah(net),
        )  # fmt: skip
        await self.purchases.RecordPurchase(request)
        return request.purchase_id

    async def a_return(self, purchase_id: str, customer_id: str) -> str:
        """Take one of the two pieces back, a minute later; return the return."""
        self.four.customers.clock.advance(timedelta(minutes=1))
        now = self.four.customers.clock.now()
        request = purchases_pb2.RecordReturnRequest(
            return_id=new_uuid(), purchase_id=purchase_id, customer_id=customer_id, origin=ORIGIN,
            occurred_at=Timestamp(seconds=int(now.timestamp())), reason=returns_pb2.RETURN_REASON_RETURN,
            lines=[returns_pb2.ReturnItem(line_id="1", quantity_thousandths=1000)],
        )  # fmt: skip
        await self.purchases.RecordReturn(request)
        return request.return_id


@pytest.fixture
async def shop(four: Four) -> Shop:
    """A merchant that no other test sees."""
    shop = Shop(four, f"toko-{uuid.uuid4().hex[:8]}")
    await shop.open()
    return shop
