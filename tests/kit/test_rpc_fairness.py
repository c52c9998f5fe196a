"""One merchant's flood holds up that merchant: the order in which calls are begun, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from kit import auth
from kit.rpc import build_server
from kit.rpc.server import scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, error_info, eventually
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc

SERVICE = "langganan.notify.v1.MessageService"
SCOPE = scopes_of(SERVICE)[f"/{SERVICE}/GetMessage"]
ID = "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"
AT_ONCE, MOST = 3, 8


class Messages(messages_pb2_grpc.MessageServiceServicer):
    """Notes whose calls it begins, and ends none before it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = asyncio.Event()

    async def GetMessage(self, request: Any, context: Any) -> Any:
        self.begun.append(auth.caller().merchant_id)
        await self.gate.wait()
        return messages_pb2.GetMessageResponse()


class Tills:
    """The tills of several merchants at one server."""

    def __init__(self, servicer: Messages, channel: grpc.aio.Channel, keys: Keys) -> None:
        self.servicer, self._keys = servicer, keys
        self._stub = messages_pb2_grpc.MessageServiceStub(channel)
        self.calls: list[Any] = []

    def call(self, merchant: str, timeout: float = 20) -> Any:
        token = self._keys.token(merchant=merchant, scopes=SCOPE)
        call = self._stub.GetMessage(
            messages_pb2.GetMessageRequest(message_id=ID),
            metadata=(("authorization", f"Bearer {token}"),),
            timeout=timeout,
        )
        self.calls.append(call)
        return call


@pytest.fixture
async def tills(keys: Keys) -> AsyncIterator[Tills]:
    settings = ServiceSettings(
        database_url="unused",
        jwks_files=[keys.jwks],
        merchant_at_once=AT_ONCE,
        max_in_flight_merchant=MOST,
    )
    servicer = Messages()
    built = await build_server(settings, [(messages_pb2_grpc.add_MessageServiceServicer_to_server, servicer)])
    await built.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{built.port}") as channel:
        yield Tills(servicer, channel, keys)
    await built.server.stop(None)


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Return (code, reason, pushback) of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailing = {str(key): str(value) for key, value in caught.value.trailing_metadata() or ()}
    return (
        caught.value.code(),
        str(error_info(caught.value).reason),
        trailing.get("grpc-retry-pushback-ms", ""),
    )


async def test_a_quiet_merchant_is_begun_before_what_waits_of_a_noisy_one(tills: Tills) -> None:
    noisy = [tills.call("noisy") for _ in range(MOST)]
    await eventually(lambda: len(tills.servicer.begun) == AT_ONCE)
    over = tills.call("noisy")
    assert await refused(over) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_IN_FLIGHT", "1000")
    quiet = tills.call("quiet")
    await eventually(lambda: len(tills.servicer.begun) == AT_ONCE + 1)
    assert tills.servicer.begun == ["noisy"] * AT_ONCE + ["quiet"]
    tills.servicer.gate.set()
    await asyncio.gather(quiet, *noisy)
    assert tills.servicer.begun[AT_ONCE + 1 :] == ["noisy"] * (MOST - AT_ONCE)


async def test_a_call_whose_deadline_passes_while_it_waits_is_never_begun(tills: Tills) -> None:
    running = [tills.call("noisy") for _ in range(AT_ONCE)]
    await eventually(lambda: len(tills.servicer.begun) == AT_ONCE)
    late = tills.call("noisy", timeout=0.2)
    assert await late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    patient = tills.call("noisy")
    tills.servicer.gate.set()
    await asyncio.gather(*running, patient)
    assert len(tills.servicer.begun) == AT_ONCE + 1, "the one that had gone was not worked on"


async def test_callers_that_go_leave_their_places_to_those_that_stay(tills: Tills) -> None:
    flood = [tills.call("noisy") for _ in range(MOST)]
    await eventually(lambda: len(tills.servicer.begun) == AT_ONCE)
    for call in flood:
        call.cancel()
    tills.servicer.gate.set()

    async def goes_through() -> bool:
        try:
            await tills.call("noisy", timeout=2)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            return False
        return True

    assert await eventually(goes_through)
    await asyncio.gather(*(tills.call("noisy") for _ in range(MOST)))
