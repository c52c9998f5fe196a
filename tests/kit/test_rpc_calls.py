"""The line of a call: whose it was, how it ended, and by what everything else said of it is found."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, MutableMapping
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest
from structlog.testing import capture_logs

from kit import cause, logs, trace
from kit.batch import Batcher
from kit.errors import NotFound
from kit.rpc import build_server, calls
from kit.rpc.server import scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, eventually
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from tests.kit.items import Gateway, ask, gateway, id_of, rest, send, settings

__all__ = ["gateway"]

SERVICE = "langganan.notify.v1.MessageService"
METHOD = f"{SERVICE}/GetMessage"
ID = "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
Lines = list[MutableMapping[str, Any]]


class Messages(messages_pb2_grpc.MessageServiceServicer):
    """Answers or fails as a test says, and notes what it was called for."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.causes: list[cause.Cause] = []
        self.work: Any = None

    async def GetMessage(self, request: Any, context: Any) -> Any:
        self.causes += cause.present()
        if self.work is not None:
            await self.work()
        if self.error is not None:
            raise self.error
        return messages_pb2.GetMessageResponse()


class Till:
    """A server that logs so many calls, and a way to call it."""

    def __init__(self, servicer: Messages, channel: grpc.aio.Channel, token: str) -> None:
        self.servicer, self._token = servicer, token
        self._stub: Any = messages_pb2_grpc.MessageServiceStub(channel)

    async def get(self, **metadata: str) -> str:
        """Call; return the request id that is told, whatever else the answer is."""
        pairs = {"authorization": f"Bearer {self._token}", **metadata}
        call = self._stub.GetMessage(
            messages_pb2.GetMessageRequest(message_id=ID),
            metadata=tuple((name.replace("_", "-"), value) for name, value in pairs.items() if value),
            timeout=10,
        )
        try:
            await call
        except grpc.aio.AioRpcError as error:
            trailing = error.trailing_metadata()
        else:
            trailing = await call.trailing_metadata()
        return str(dict(trailing)["x-request-id"])


@pytest.fixture
async def till(keys: Keys, request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    servicer = Messages()
    wanted = getattr(request, "param", "failed")
    settings = ServiceSettings(database_url="unused", jwks_files=[keys.jwks], log_calls=wanted)
    built = await build_server(settings, [(messages_pb2_grpc.add_MessageServiceServicer_to_server, servicer)])
    await built.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{built.port}") as channel:
        yield Till(servicer, channel, keys.token(scopes=scopes_of(SERVICE)[f"/{METHOD}"]))
    await built.server.stop(None)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, with what the configured processors add about the cause."""
    with capture_logs(processors=[logs.caused]) as found:
        yield found


def which(value: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("till", [value], indirect=True)


async def test_the_line_of_a_failed_call_names_it_and_says_how_it_ended(till: Till, lines: Lines) -> None:
    till.servicer.error = NotFound("no such message", reason="MESSAGE_NOT_FOUND")
    sent = str(uuid.uuid4())
    assert await till.get(x_request_id=sent.upper(), traceparent=TRACEPARENT) == sent
    (line,) = await eventually(lambda: lines)  # written once the answer is on its way
    assert line.pop("ms") >= 0
    assert line == {
        "event": "call",
        "log_level": "info",
        "request_id": sent,
        "trace_id": TRACE,
        "merchant": "toko",
        "method": METHOD,
        "code": "NOT_FOUND",
        "reason": "MESSAGE_NOT_FOUND",
    }


async def test_an_answered_call_has_no_line_by_default_and_its_id_is_told(till: Till, lines: Lines) -> None:
    sent = uuid.uuid4().hex
    assert await till.get(x_request_id=sent) == sent
    assert lines == []


@which("all")
async def test_every_call_has_a_line_where_that_is_wanted(till: Till, lines: Lines) -> None:
    told = await till.get()
    assert [(line["code"], line["request_id"], line["merchant"]) for line in lines] == [("OK", told, "toko")]


@which("none")
async def test_no_call_has_a_line_where_that_is_wanted(till: Till, lines: Lines) -> None:
    await till.get()
    calls.CallLog("none").say(METHOD, "toko", 0.0, "NOT_FOUND", NotFound("no such message"))
    assert lines == []
    calls.CallLog("failed").say(METHOD, "toko", 0.0, "NOT_FOUND", NotFound("no such message"))
    assert len(lines) == 1


async def test_a_call_without_a_good_token_has_a_line_without_a_merchant(till: Till, lines: Lines) -> None:
    await till.get(authorization="")
    (line,) = await eventually(lambda: lines)
    assert (line["code"], line["reason"]) == ("UNAUTHENTICATED", "TOKEN_MISSING")
    assert "merchant" not in line


@pytest.mark.parametrize(
    "text", ["+6281234567890", "siti@example.com", "Siti Rahayu", "a" * 36, "", f"{ID}0"]
)
async def test_what_may_name_a_person_is_no_request_id(till: Till, lines: Lines, text: str) -> None:
    told = await till.get(x_request_id=text)
    assert str(uuid.UUID(told)) == told != text
    assert [dict(one.ids) for one in till.servicer.causes] == [{"request_id": told}]


async def test_our_own_fault_is_found_by_the_same_id(till: Till, lines: Lines) -> None:
    till.servicer.error = ZeroDivisionError("a test wants this")
    told = await till.get()
    await eventually(lambda: len(lines) == 2)
    assert [(line["event"], line["request_id"]) for line in lines] == [("call_failed", told), ("call", told)]


async def test_a_storm_of_failures_is_told_of_in_so_many_lines(lines: Lines) -> None:
    log = calls.CallLog("failed")
    began = asyncio.get_running_loop().time()
    for _ in range(10 * calls.FAILED_MAX):
        log.say(METHOD, "toko", began, "UNAVAILABLE", None)
    # The second may have turned over meanwhile, on a busy machine more than once.
    assert calls.FAILED_MAX <= len(lines) <= 5 * calls.FAILED_MAX
    log._second -= 1
    log.say(METHOD, "toko", began, "UNAVAILABLE", None)
    assert sum(line.get("left_out", 0) for line in lines) == 10 * calls.FAILED_MAX - len(lines) + 1


async def test_the_lines_of_a_batch_name_all_calls_in_it_and_no_other(till: Till, lines: Lines) -> None:
    gate = asyncio.Event()

    async def run(conn: Any, asked: Any, wait: bool) -> list[int]:
        logs.structlog.get_logger().warning("decided", size=len(asked))
        await gate.wait()
        return list(asked)

    class Opened:
        async def __aenter__(self) -> None: ...
        async def __aexit__(self, *_: object) -> None: ...

    batch: Batcher[int, int] = Batcher("b", Opened, run, key=lambda _: 1, merchant=lambda _: "toko")
    till.servicer.work = partial(batch.submit, 1)
    first = asyncio.create_task(till.get(x_request_id=uuid.uuid4().hex))
    await eventually(lambda: lines)
    sent = [uuid.uuid4().hex for _ in range(10)]
    others = [asyncio.create_task(till.get(x_request_id=one, traceparent=TRACEPARENT)) for one in sent]
    await eventually(lambda: batch._waiting == len(sent))
    gate.set()
    told = await first
    assert sorted(await asyncio.gather(*others)) == sorted(sent)
    alone, together = lines
    assert (alone["request_id"], "trace_id" in alone) == (told, False)
    assert (together["size"], together["causes"], together["trace_ids"]) == (10, 10, [TRACE])
    assert len(together["request_ids"]) == 8
    assert set(together["request_ids"]) < set(sent)


@settings(log_calls="failed")
async def test_a_refused_item_has_a_line_of_the_streams_request(gateway: Gateway, lines: Lines) -> None:
    sent = str(uuid.uuid4())
    metadata = (*gateway.metadata(), ("x-request-id", sent))
    stream = gateway.stub.StreamAuthorize(metadata=metadata, timeout=20)
    good, bad = ask(), ask(hold_id="x")
    gateway.servicer.error = None
    await send(stream, good)
    await send(stream, bad)
    await stream.done_writing()
    assert {one.hold_id for one in await rest(stream)} == {id_of(good), "x"}
    assert dict(await stream.trailing_metadata())["x-request-id"] == sent
    await eventually(lambda: lines)
    assert [(line["method"], line["request_id"], line["code"], line["merchant"]) for line in lines] == [
        ("langganan.credit.v1.HoldService/StreamAuthorize#item", sent, "INVALID_ARGUMENT", "toko")
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (TRACEPARENT, TRACEPARENT),
        ("cc" + TRACEPARENT[2:] + "-what-is-to-come", TRACEPARENT),
        ("ff" + TRACEPARENT[2:], ""),
        (TRACEPARENT + "0", ""),
        (TRACEPARENT.upper(), ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        ("", ""),
    ],
)
def test_a_traceparent_is_taken_as_w3c_writes_it_or_not_at_all(text: str, kept: str) -> None:
    assert trace.valid(text) == kept


def test_each_customers_trace_goes_on_with_what_follows_for_them() -> None:
    def caused(key: str, traceparent: str) -> cause.Cause:
        return cause.Cause({"event_id": key}, traceparent, ("toko", key))

    assert cause.traceparents([("toko", "a")]) == [""]
    with cause.of([caused("a", "one")]):
        assert cause.traceparents([("toko", "a"), ("toko", "b")]) == ["one", "one"]
    many = [
        caused("a", ""),
        caused("a", "1-00"),
        caused("b", "2-00"),
        caused("a", "3-01"),
        caused("a", "4-03"),
    ]
    with cause.of(many):
        assert cause.traceparents([("toko", "b"), ("toko", "a"), ("toko", "c")]) == ["2-00", "3-01", ""]
    assert cause.present() == ()
