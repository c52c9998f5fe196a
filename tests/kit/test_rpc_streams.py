"""A stream of answers is guarded like a single one, and waits for whoever reads it slowly."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit import auth, metrics
from kit.errors import NotFound
from kit.rpc import build_server
from kit.rpc.server import scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, eventually
from kit.testing.refusals import error_info
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc

SERVICE = "langganan.customers.v1.ContactService"
SCOPE = scopes_of(SERVICE)[f"/{SERVICE}/ListBirthdays"]
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
        self.servicer, self.keys, self.channel = servicer, keys, channel
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


PATIENCE_S = 0.3


@pytest.fixture
async def greeter(keys: Keys, request: pytest.FixtureRequest) -> AsyncIterator[Greeter]:
    """A server that ends a stream that nobody reads as a test's parameter says, or after 10 s."""
    settings = ServiceSettings(
        database_url="unused",
        jwks_files=[keys.jwks],
        max_in_flight=2,
        stream_write_s=getattr(request, "param", 10.0),
    )
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


@pytest.mark.parametrize("greeter", [PATIENCE_S], indirect=True)
async def test_a_reader_that_stops_reading_is_ended_and_costs_only_what_the_wire_holds(
    greeter: Greeter,
) -> None:
    greeter.servicer.count, greeter.servicer.size = 2_000, 10_000
    exhausted = metrics.GRPC_HANDLED.labels(SERVICE, "ListBirthdays", "ResourceExhausted")
    before = exhausted._value.get()
    slow = greeter.call()
    await slow.read()
    await eventually(lambda: greeter.servicer.ended == 1)
    assert greeter.servicer.made < greeter.servicer.count / 2, "the list was made for nobody"
    assert exhausted._value.get() == before + 1
    greeter.servicer.count = 3
    for _ in range(3):
        assert len([answer async for answer in greeter.call()]) == 3, "its place was given to others"
    slow.cancel()


@pytest.mark.parametrize("greeter", [PATIENCE_S], indirect=True)
async def test_a_slow_reader_that_reads_is_served_to_the_end(greeter: Greeter) -> None:
    greeter.servicer.count, greeter.servicer.size = 500, 10_000
    call, got = greeter.call(), 0
    health = health_pb2_grpc.HealthStub(greeter.channel)
    while await call.read() is not grpc.aio.EOF:
        got += 1
        await health.Check(health_pb2.HealthCheckRequest())  # slower than the server by a whole call
    assert got == 500


async def test_a_database_lost_half_way_is_unavailable_so_that_the_reader_begins_again(
    greeter: Greeter,
) -> None:
    greeter.servicer.error = ConnectionResetError("gone")
    assert await greeter.reason(greeter.call()) == "DATABASE_UNAVAILABLE"


async def test_a_stream_that_is_no_generator_stops_the_start(keys: Keys) -> None:
    class Writes(contacts_pb2_grpc.ContactServiceServicer):
        async def ListBirthdays(self, request: Any, context: Any) -> None:  # type: ignore[override]
            """Would write past a slow reader."""

    settings = ServiceSettings(database_url="unused", jwks_files=[keys.jwks])
    with pytest.raises(RuntimeError, match="ListBirthdays streams; write it as an async generator"):
        await build_server(settings, [(contacts_pb2_grpc.add_ContactServiceServicer_to_server, Writes())])
