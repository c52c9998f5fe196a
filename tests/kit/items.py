"""A service that takes items, a gateway that sends them, and what both say to each other."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2

from kit import auth, metrics
from kit.ids import new_customer_id, new_uuid
from kit.rpc import Shape, build_server, takes_items
from kit.rpc.server import Built, scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, error_info
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc

SERVICE = "langganan.credit.v1.HoldService"
LABELS = (SERVICE, "StreamAuthorize")
SCOPE = scopes_of(SERVICE)[f"/{SERVICE}/StreamAuthorize"]
CUSTOMER = new_customer_id()

MOST = 5


def answer(hold_id: str, **outcome: Any) -> holds_pb2.StreamAuthorizeResponse:
    shown = holds_pb2.AuthorizeAnswer(hold_id=hold_id, **outcome)
    return holds_pb2.StreamAuthorizeResponse(answers=[shown])


SHAPE = Shape(
    items="items",
    most=MOST,
    request="authorize",
    seconds=lambda item: item.timeout.ToNanoseconds() / 1e9 or 10.0,
    answer=lambda item, reply: answer(item.authorize.hold_id, authorized=reply),
    refusal=lambda item, status: answer(item.authorize.hold_id if item else "", error=status),
)


class Holds(holds_pb2_grpc.HoldServiceServicer):
    """Decides at once, or when and as a test says."""

    def __init__(self) -> None:
        self.begun: dict[str, Future[str]] = {}
        self.callers: list[auth.Caller] = []
        self.until: dict[str, float | None] = {}
        self.at_once, self.size = True, 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.called: list[str] = []

    @takes_items(SHAPE)
    def StreamAuthorize(
        self, request: holds_pb2.AuthorizeRequest, until: float | None
    ) -> tuple[Future[str], Callable[[str], holds_pb2.AuthorizeResponse]]:
        if self.error is not None:
            raise self.error
        self.callers.append(auth.caller())
        future = self.begun[request.hold_id] = asyncio.get_running_loop().create_future()
        self.until[request.hold_id] = until
        if self.at_once:
            future.set_result("x" * self.size)
        return future, self._reply

    def _reply(self, said: str) -> holds_pb2.AuthorizeResponse:
        shown = holds_pb2.Decline(say=said + auth.caller().language)
        return holds_pb2.AuthorizeResponse(hold=holds_pb2.Hold(decline=shown))

    async def Authorize(self, request: Any, context: Any) -> Any:
        self.called.append(auth.caller().merchant_id)
        await self.gate.wait()
        return holds_pb2.AuthorizeResponse()


def ask(**changes: Any) -> holds_pb2.AuthorizeItem:
    """An item; changes are of what Authorize is asked, but for the timeout."""
    timeout = changes.pop("timeout", None)
    content = {
        "hold_id": new_uuid(),
        "customer_id": CUSTOMER,
        "amount": {"currency_code": "IDR", "units": 1_000},
        "origin": {"store_id": "s1"},
    }
    request = holds_pb2.AuthorizeRequest(**{**content, **changes})
    return holds_pb2.AuthorizeItem(authorize=request, timeout=timeout)


def message(*items: holds_pb2.AuthorizeItem) -> holds_pb2.StreamAuthorizeRequest:
    return holds_pb2.StreamAuthorizeRequest(items=items)


def id_of(item: holds_pb2.AuthorizeItem) -> str:
    return item.authorize.hold_id


class Gateway:
    """One server and the streams of a gateway to it."""

    def __init__(self, built: Built, servicer: Holds, channel: grpc.aio.Channel, keys: Keys) -> None:
        self.built, self.servicer, self.channel, self.keys = built, servicer, channel, keys
        self.stub: Any = holds_pb2_grpc.HoldServiceStub(channel)

    def metadata(self, merchant: str = "toko", **more: Any) -> tuple[tuple[str, str], ...]:
        token = self.keys.token(merchant=merchant, scopes=more.pop("scopes", SCOPE), **more)
        return (("authorization", f"Bearer {token}"), ("accept-language", "en"))

    def open(self, merchant: str = "toko", timeout: float | None = 20, **token: Any) -> Any:
        return self.stub.StreamAuthorize(metadata=self.metadata(merchant, **token), timeout=timeout)

    def call(self, merchant: str) -> Any:
        return self.stub.Authorize(ask().authorize, metadata=self.metadata(merchant), timeout=20)


@pytest.fixture
async def gateway(keys: Keys, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    """A server; a test's parameter changes its settings."""
    changes = getattr(request, "param", {})
    settings = ServiceSettings(database_url="unused", jwks_files=[keys.jwks], **changes)
    servicer = Holds()
    built = await build_server(settings, [(holds_pb2_grpc.add_HoldServiceServicer_to_server, servicer)])
    await built.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{built.port}") as channel:
        yield Gateway(built, servicer, channel, keys)
    await built.stop(None)


def settings(**changes: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("gateway", [changes], indirect=True)


async def send(call: Any, *items: holds_pb2.AuthorizeItem) -> None:
    """Write each item in a message of its own."""
    for item in items:
        await call.write(message(item))


async def read(call: Any, count: int) -> list[holds_pb2.AuthorizeAnswer]:
    """The next answers."""
    answers: list[holds_pb2.AuthorizeAnswer] = []
    while len(answers) < count:
        answers += (await call.read()).answers
    assert len(answers) == count
    return answers


async def rest(call: Any) -> list[holds_pb2.AuthorizeAnswer]:
    """What is answered until the stream ends."""
    answers: list[holds_pb2.AuthorizeAnswer] = []
    while (said := await call.read()) is not grpc.aio.EOF:
        answers += said.answers
    return answers


async def end_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Return (code, reason) with which a stream is ended from the other side."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rest(call)
    return caught.value.code(), str(error_info(caught.value).reason)


def reason(answer: holds_pb2.AuthorizeAnswer) -> str:
    """The reason of a refused item; empty: it was decided."""
    for detail in answer.error.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    assert answer.HasField("authorized")
    return ""


def handled(code: str) -> float:
    return float(metrics.GRPC_HANDLED.labels(*LABELS, code)._value.get())


def open_streams() -> float:
    return float(metrics.GRPC_STREAMS.labels(*LABELS)._value.get())
