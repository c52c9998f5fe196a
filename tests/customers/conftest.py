"""What the tests of the customers service share."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from customers.merchants.model import Merchant
from customers.merchants.store import SetMerchant, Shops, set_merchants
from customers.purchases import rpc as purchases_rpc
from kit import ids
from kit.money import Currency
from kit.runtime import Runtime, Service
from kit.settings import ServiceSettings
from kit.testing.keys import Keys
from kit.testing.refusals import error_info
from kit.testing.running import Running, running
from langganan.customers.v1 import purchases_pb2 as pb
from langganan.customers.v1 import purchases_pb2_grpc
from langganan.customers.v1.returns_pb2 import RETURN_REASON_RETURN, RETURN_REASON_VOID, ReturnItem
from langganan.types.v1.line_pb2 import LINE_KIND_GOODS, Line, Quantity
from langganan.types.v1.origin_pb2 import MODE_ONLINE, Origin
from langganan.types.v1.tender_pb2 import Cash, Tender

_numbers = itertools.count(1)


def rupiah(amount: int) -> Money:
    return Money(currency_code="IDR", units=amount)


def stamp(instant: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(instant)
    return found


def purchase_stub(running: Running, **token: Any) -> purchases_pb2_grpc.PurchaseServiceAsyncStub:
    stub: Any = running.stub(purchases_pb2_grpc.PurchaseServiceStub, **token)
    found: purchases_pb2_grpc.PurchaseServiceAsyncStub = stub
    return found


@dataclass
class Till:
    """A till of a merchant of its own, so that tests share a database without seeing each other."""

    running: Running
    merchant_id: str
    stub: purchases_pb2_grpc.PurchaseServiceAsyncStub
    stubs: list[Any] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.running.clock.now()

    def with_scopes(self, scopes: str) -> purchases_pb2_grpc.PurchaseServiceAsyncStub:
        return purchase_stub(self.running, merchant=self.merchant_id, scopes=scopes)

    async def customer(self, status: str = "ACTIVE", time_zone: str = "") -> str:
        """A customer of this merchant: the row that locks, without a profile."""
        customer_id = ids.new_customer_id()
        await self.running.pool.execute(
            "INSERT INTO customers (merchant_id, customer_id, kind, status, time_zone, language,"
            " registered_at, updated_at, revision) VALUES ($1, $2, 'PERSON', $3, $4, 'id', now(), now(), 1)",
            self.merchant_id,
            customer_id,
            status,
            time_zone,
        )
        return customer_id

    def sale(
        self,
        customer_id: str = "",
        nets: Sequence[int] = (10_000,),
        tenders: Sequence[Tender] | None = None,
        **fields: Any,
    ) -> pb.RecordPurchaseRequest:
        """A sound sale: lines "1", "2", … of 2 pieces each, paid in cash unless told otherwise."""
        total = sum(nets)
        if tenders is None:
            cash = Cash(tendered=rupiah(total), change=rupiah(0))
            tenders = [Tender(tender_id="cash", amount=rupiah(total), cash=cash)] if total else []
        request = pb.RecordPurchaseRequest(
            purchase_id=str(uuid.uuid4()),
            customer_id=customer_id,
            origin=Origin(store_id="gudang", register_id="1", staff_ref="s-7", mode=MODE_ONLINE),
            receipt_number=f"R-{next(_numbers)}",
            occurred_at=stamp(self.now - timedelta(minutes=1)),
            lines=[
                Line(
                    line_id=str(i + 1),
                    product_id=f"p{i}",
                    name="Indomie Goreng",
                    categories=["grocery", "noodles"],
                    kind=LINE_KIND_GOODS,
                    quantity=Quantity(thousandths=2000, unit="pcs"),
                    net=rupiah(net),
                )
                for i, net in enumerate(nets)
            ],
            tenders=tenders,
            total=rupiah(total),
        )
        request.MergeFrom(pb.RecordPurchaseRequest(**fields))
        return request

    def a_return(self, sale: pb.RecordPurchaseRequest, *items: ReturnItem, **fields: Any) -> Any:
        """A return of these parts of a sale; a void when there are none."""
        request = pb.RecordReturnRequest(
            return_id=str(uuid.uuid4()),
            purchase_id=sale.purchase_id,
            customer_id=sale.customer_id,
            origin=Origin(store_id="gudang", register_id="2", staff_ref="s-8"),
            occurred_at=sale.occurred_at,
            reason=RETURN_REASON_RETURN if items else RETURN_REASON_VOID,
            lines=items,
        )
        request.MergeFrom(pb.RecordReturnRequest(**fields))
        return request

    async def got(self, sale: pb.RecordPurchaseRequest) -> pb.Purchase:
        """What GetPurchase answers of a sale."""
        request = pb.GetPurchaseRequest(purchase_id=sale.purchase_id, customer_id=sale.customer_id)
        return (await self.stub.GetPurchase(request)).purchase

    async def statistics(self, customer_id: str) -> tuple[int, int, datetime | None, datetime | None] | None:
        row = await self.running.pool.fetchrow(
            "SELECT visits, spend, first_purchase_at, last_purchase_at FROM customer_statistics"
            " WHERE merchant_id = $1 AND customer_id = $2",
            self.merchant_id,
            customer_id,
        )
        return None if row is None else tuple(row)

    async def published(self) -> list[Any]:
        return [p for p in await self.running.published() if p.merchant_id == self.merchant_id]

    async def written(self) -> int:
        """How many rows this merchant's sales have left anywhere."""
        tables = ("purchases", "purchase_returns", "purchase_exceptions", "customer_statistics", "outbox")
        counts = [
            await self.running.pool.fetchval(
                f"SELECT count(*) FROM {table} WHERE merchant_id = $1", self.merchant_id
            )
            for table in tables
        ]
        return sum(counts)


@pytest.fixture(scope="module")
async def purchases_running(new_database: Any, keys: Keys) -> AsyncIterator[Running]:
    """PurchaseService alone, on a database of its own."""
    settings = ServiceSettings(database_url=await new_database("customers"))

    async def build(runtime: Runtime[Any]) -> Service:
        pool = await runtime.pool()
        service, batcher = purchases_rpc.build(pool, runtime.clock, Shops(), max_batch=200, max_queue=2_000)
        add = purchases_pb2_grpc.add_PurchaseServiceServicer_to_server
        return Service(pool=pool, servicers=[(add, service)], batchers=[batcher])

    async with running("customers", build, settings, keys) as found:
        yield found


@pytest.fixture
async def till(purchases_running: Running) -> Till:
    """A till of a fresh merchant in Jakarta that counts in whole rupiah."""
    merchant_id = f"toko-{next(_numbers)}"
    merchant = Merchant(merchant_id, "Toko Maju", Currency("IDR", 0), "Asia/Jakarta")
    async with purchases_running.pool.acquire() as conn:
        await set_merchants(conn, [SetMerchant(str(uuid.uuid4()), merchant, datetime.now(UTC))], True)
    stub = purchase_stub(purchases_running, merchant=merchant_id)
    return Till(purchases_running, merchant_id, stub)


@pytest.fixture
def reason() -> Any:
    """reason(error): the ErrorInfo reason of a failed call."""
    return lambda error: error_info(error).reason


@pytest.fixture
def idr() -> Any:
    """idr(5000): Rp 5.000."""
    return rupiah
