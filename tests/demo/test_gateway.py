"""A till that doubts says it again under the same id, and the service decides once."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest

from langganan.customers.v1 import purchases_pb2, purchases_pb2_grpc
from local.demo.gateway import Gateway
from local.demo.script import LOST, ONCE, TWICE

Request = purchases_pb2.RecordPurchaseRequest
Reply = purchases_pb2.RecordPurchaseResponse


class Purchases(purchases_pb2_grpc.PurchaseServiceServicer):
    """Counts what arrives; the first `failures` calls are turned away with `code`."""

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.failures = 0
        self.code = grpc.StatusCode.UNAVAILABLE
        self.differ = False

    async def RecordPurchase(
        self, request: Request, context: grpc.aio.ServicerContext[Request, Reply]
    ) -> Reply:
        self.arrived[request.purchase_id] += 1
        if self.failures:
            self.failures -= 1
            await context.abort(self.code, "not now")
        revision = self.arrived[request.purchase_id] if self.differ else 1
        return Reply(purchase_id=request.purchase_id, revision=revision)


Shop = tuple[Purchases, Gateway, Callable[[str], Awaitable[Reply]]]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    server = grpc.aio.server()
    purchases = Purchases()  # type: ignore[abstract]  # a till's other calls are not of interest here
    purchases_pb2_grpc.add_PurchaseServiceServicer_to_server(purchases, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gateway = Gateway(dict.fromkeys(("customers", "loyalty", "credit", "notify"), f"127.0.0.1:{port}"), "t")

    async def record(delivery: str) -> Reply:
        request = Request(purchase_id="one")
        return await gateway.deliver("RecordPurchase", gateway.purchases.RecordPurchase, request, delivery)

    yield purchases, gateway, record
    await gateway.close()
    await server.stop(None)


async def test_a_service_that_is_away_is_asked_again(shop: Shop) -> None:
    purchases, gateway, record = shop
    purchases.failures = 2
    assert (await record(ONCE)).purchase_id == "one"
    assert (purchases.arrived["one"], gateway.retries) == (3, 2)


async def test_a_refusal_is_final(shop: Shop) -> None:
    purchases, gateway, record = shop
    purchases.failures, purchases.code = 1, grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError):
        await record(ONCE)
    assert gateway.retries == 0


async def test_a_request_sent_twice_must_be_answered_alike(shop: Shop) -> None:
    purchases, gateway, record = shop
    await record(TWICE)
    assert gateway.different == []
    purchases.differ = True
    await record(TWICE)
    assert len(gateway.different) == 1


async def test_a_lost_answer_is_asked_for_again(shop: Shop) -> None:
    _, gateway, record = shop
    assert (await record(LOST)).purchase_id == "one"
    assert gateway.lost == 1
