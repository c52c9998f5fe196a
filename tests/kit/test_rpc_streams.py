"""A stream of answers is guarded like a single one, and waits for whoever reads it slowly."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from kit import auth
from kit.errors import NotFound
from kit.rpc import build_server
from kit.rpc.server import scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, eventually
from kit.testing.refusals import error_info
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc

SCOPE = scopes_of("langganan.customers.v1.ContactService")[
    "/langganan.customers.v1.ContactService/ListBirthdays"
]
REQUEST = contacts_pb2.ListBirthdaysRequest(month=3, day=1)


class Birthdays(contacts_pb2_grpc.ContactServiceServicer):
    """Streams as many answers as a test wants, of a size that a test wants."""

    def __init__(self) -> None:
        self.callers: list[auth.Caller] = []
        self.count, self.size, self.made, self.ended = 3, 1, 0, 0
        self.error: Exception | None = None

    async def ListBirthdays(
        self, request: contacts_pb2.ListBirthdaysRequest, context: Any
    ) -> AsyncIterator[contacts_pb2.ListBirthdaysResponse]:
        self.callers.append(auth.caller())
        try:
            for _ in range(self.count):
                self.made += 1
                one = contacts_pb2.Birthday(customer_id="x" * self.size)
                yield contacts_pb2.ListBirthdaysResponse(birthdays=[one])
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1


class Greeter:
    """One server and a way to call it."""

    def __init__(self, servicer: Birthdays, channel: grpc.aio.Channel, keys: Keys) -> None:
        self.servicer, self.keys = servicer, keys
        self.stub: Any = contacts_pb2_grpc.ContactServiceStub(channel)

    def call(
        self, request: contacts_pb2.ListBirthdaysRequest = REQUEST, token: str = "", timeout: float = 10
    ) -> Any:
        token = token or self.keys.token(scopes=SCOPE)
        return self.stub.ListBirthdays(
            request, metadata=(("authorization", f"Bearer {token}"),), timeout=timeout
        )

    async def reason(self, call: Any) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        return str(error_info(caught.value).reason)


@pytest.fixture
async def greeter(keys: Keys) -> AsyncIterator[Greeter]:
    settings = ServiceSettings(database_url="unused", jwks_files=[keys.jwks], max_in_flight=2)
    servicer = Birthdays()
    add = contacts_pb2_grpc.add_ContactServiceServicer_to_server
    built = await build_server(settings, [(add, servicer)])
    await built.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{built.port}") as channel:
        yield Greeter(servicer, channel, keys)
    await built.server.stop(None)


async def test_a_stream_reaches_its_reader_whole_and_in_order(greeter: Greeter) -> None:
    answers = [answer async for answer in greeter.call()]
    assert len(answers) == greeter.servicer.made == 3
    assert [who.merchant_id for who in greeter.servicer.callers] == ["toko"]


async def test_a_stream_needs_its_scope_a_sound_token_and_a_sound_request(greeter: Greeter) -> None:
    expired = greeter.keys.token(scopes=SCOPE, expires_in=-120)
    other = greeter.keys.token(scopes="customers.contacts.internal")
    wrong = contacts_pb2.ListBirthdaysRequest(month=13, day=1)
    assert await greeter.reason(greeter.call(token=expired)) == "TOKEN_EXPIRED"
    assert await greeter.reason(greeter.call(token=other)) == "MISSING_SCOPE"
    assert await greeter.reason(greeter.call(wrong)) == "INVALID_FIELDS"
    assert greeter.servicer.callers == []


async def test_an_error_half_way_ends_the_stream_with_its_reason(greeter: Greeter) -> None:
    greeter.servicer.error = NotFound("gone", reason="GONE")
    assert await greeter.reason(greeter.call()) == "GONE"


async def test_a_slow_reader_holds_its_stream_back_and_counts_as_a_call_under_way(greeter: Greeter) -> None:
    greeter.servicer.count, greeter.servicer.size = 2_000, 10_000
    slow = [greeter.call(), greeter.call()]
    for call in slow:
        await call.read()
    assert await greeter.reason(greeter.call()) == "TOO_MANY_IN_FLIGHT"
    assert greeter.servicer.made < 2 * greeter.servicer.count
    for call in slow:
        call.cancel()
    await eventually(lambda: greeter.servicer.ended == 2)


async def test_a_stream_ends_at_its_deadline(greeter: Greeter) -> None:
    greeter.servicer.count, greeter.servicer.size = 2_000, 10_000
    call = greeter.call(timeout=0.3)
    await call.read()
    await eventually(call.done)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: greeter.servicer.ended == 1)
