"""A stream of items: each item is a call of its own in all that guards it; the stream takes no place."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from kit import auth, metrics
from kit.errors import IdempotencyConflict, ResourceExhausted
from kit.ids import new_customer_id, new_uuid
from kit.rpc import Shape, build_server, takes_items
from kit.rpc.server import Built, scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, error_info, eventually
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


async def test_each_item_is_answered_under_its_id_as_it_is_decided_in_any_order(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call, items = gateway.open(), [ask() for _ in range(3)]
    await send(call, *items)
    await call.done_writing()
    await eventually(lambda: len(gateway.servicer.begun) == 3)
    got = []
    for item in reversed(items):
        gateway.servicer.begun[id_of(item)].set_result("")
        got += [a.hold_id for a in await read(call, 1)]
    assert got == [id_of(item) for item in reversed(items)]
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_which_items_share_a_message_means_nothing(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call, items = gateway.open(), [ask() for _ in range(MOST)]
    await call.write(message(*items[:3]))
    await call.write(message())
    await call.write(message(*items[3:]))
    await eventually(lambda: len(gateway.servicer.begun) == MOST)
    for item in items:  # in one moment
        gateway.servicer.begun[id_of(item)].set_result("")
    said = await call.read()
    assert [a.hold_id for a in said.answers] == [id_of(item) for item in items]
    await call.done_writing()
    assert await rest(call) == []


async def test_the_caller_and_its_language_are_the_streams(gateway: Gateway) -> None:
    call = gateway.open("warung")
    await send(call, ask(), ask())
    await call.done_writing()
    assert [a.authorized.hold.decline.say for a in await rest(call)] == ["en", "en"]
    assert [who.merchant_id for who in gateway.servicer.callers] == ["warung"] * 2


async def test_a_half_closed_stream_gets_every_answer_and_then_ok(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call, items = gateway.open(), [ask() for _ in range(50)]
    await send(call, *items)
    await call.done_writing()
    await eventually(lambda: len(gateway.servicer.begun) == 50)
    for future in gateway.servicer.begun.values():
        future.set_result("")
    assert {a.hold_id for a in await rest(call)} == {id_of(item) for item in items}
    assert await call.code() is grpc.StatusCode.OK


async def test_the_opening_needs_a_sound_token_with_the_scope(gateway: Gateway) -> None:
    for token, expected in (
        ({"expires_in": -120}, (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")),
        ({"scopes": "credit.holds.read"}, (grpc.StatusCode.PERMISSION_DENIED, "MISSING_SCOPE")),
        ({"audience": "other"}, (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_WRONG_AUDIENCE")),
    ):
        assert await end_of(gateway.open(**token)) == expected
    assert await end_of(gateway.stub.StreamAuthorize()) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "TOKEN_MISSING",
    )
    assert open_streams() == 0


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        (IdempotencyConflict("hold", "1"), grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_CONFLICT"),
        (ResourceExhausted("too many wait"), grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"),
        (ConnectionResetError("gone"), grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (RuntimeError("secret detail"), grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
async def test_an_error_of_one_item_is_its_answer_and_the_stream_goes_on(
    gateway: Gateway, error: Exception, code: grpc.StatusCode, expected: str, late: bool
) -> None:
    call, bad, good = gateway.open(), ask(), ask()
    gateway.servicer.at_once = not late
    gateway.servicer.error = None if late else error
    await send(call, bad)
    if late:
        await eventually(lambda: id_of(bad) in gateway.servicer.begun)
        gateway.servicer.begun[id_of(bad)].set_exception(error)
    (refused,) = await read(call, 1)
    assert (refused.hold_id, refused.error.code, reason(refused)) == (id_of(bad), code.value[0], expected)
    assert "secret" not in str(refused)
    has_hint = any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in refused.error.details)
    assert has_hint == isinstance(error, ResourceExhausted)
    gateway.servicer.error, gateway.servicer.at_once = None, True
    await send(call, good)
    assert [a.hold_id for a in await read(call, 1)] == [id_of(good)]
    await call.done_writing()
    assert await rest(call) == []


async def test_an_item_that_breaks_a_rule_is_told_the_fields_as_its_call_would_be(gateway: Gateway) -> None:
    call, bad = gateway.open(), ask(customer_id="short", origin=None)
    await send(call, bad, ask(hold_id="\0"), ask())
    answers = await read(call, 3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.Authorize(bad.authorize, metadata=gateway.metadata())
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    assert answers[0].error == status_pb2.Status.FromString(details)
    assert [reason(answer) for answer in answers] == ["INVALID_FIELDS", "INVALID_FIELDS", ""]


async def test_what_is_no_message_or_too_large_is_answered_and_the_stream_goes_on(gateway: Gateway) -> None:
    raw = gateway.channel.stream_stream(
        f"/{SERVICE}/StreamAuthorize",
        response_deserializer=holds_pb2.StreamAuthorizeResponse.FromString,
    )(metadata=gateway.metadata())
    large = ask()
    large.authorize.origin.store_id = "x" * 70_000
    for items in (large, ask()), (ask(),) * (MOST + 1):
        await raw.write(message(*items).SerializeToString())
    await raw.write(b"\xff\xff")
    await raw.done_writing()
    answers = await rest(raw)
    assert [reason(a) for a in answers] == ["ITEM_TOO_LARGE", "", *["INVALID_FIELDS"] * (MOST + 2)]
    assert (answers[0].hold_id, answers[-1].hold_id) == (id_of(large), "")


async def test_an_item_has_a_deadline_of_its_own_and_the_streams_above_it(gateway: Gateway) -> None:
    now = asyncio.get_running_loop().time
    call, short, usual = gateway.open(timeout=None), ask(timeout=Duration(seconds=2)), ask()
    began = now()
    await send(call, short, usual)
    await read(call, 2)
    until = gateway.servicer.until
    assert began + 2 <= until[id_of(short)] <= now() + 2
    assert began + 10 <= until[id_of(usual)] <= now() + 10
    call.cancel()
    bounded, item = gateway.open(timeout=5), ask()
    await send(bounded, item)
    await bounded.read()
    assert until[id_of(item)] < now() + 6, "no later than the stream's"


@settings(merchant_items_at_once=1)
async def test_an_item_whose_deadline_passes_while_it_waits_is_not_begun(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call, first, late = gateway.open(), ask(), ask(timeout=Duration(nanos=1))
    await send(call, first, late)
    await eventually(lambda: gateway.servicer.begun)
    gateway.servicer.begun[id_of(first)].set_result("")
    answers = {answer.hold_id: reason(answer) for answer in await read(call, 2)}
    assert answers == {id_of(first): "", id_of(late): "DEADLINE_EXCEEDED"}
    assert list(gateway.servicer.begun) == [id_of(first)]


async def test_a_stream_ends_at_its_deadline_and_takes_back_what_waits(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call = gateway.open(timeout=0.3)
    await send(call, ask())
    await eventually(call.done)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await eventually(lambda: all(f.cancelled() for f in gateway.servicer.begun.values()))
    await eventually(lambda: open_streams() == 0)


@settings(max_in_flight=1, merchant_at_once=1, max_in_flight_merchant=1, merchant_items_at_once=1)
async def test_open_streams_without_items_take_no_calls_place(gateway: Gateway) -> None:
    idle = [gateway.open() for _ in range(5)]
    for call in idle:
        await send(call, ask())
        await call.read()
    assert open_streams() == 5
    gateway.servicer.gate.set()
    await gateway.call("toko")
    for call in idle:
        call.cancel()
    await eventually(lambda: open_streams() == 0)


@settings(max_streams=3, max_streams_merchant=2)
async def test_open_streams_are_bounded_of_a_merchant_and_in_all(gateway: Gateway) -> None:
    mine = [gateway.open("toko"), gateway.open("toko")]
    for call in mine:
        await send(call, ask())
        await call.read()
    too_many = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert await end_of(gateway.open("toko")) == too_many
    other = gateway.open("warung")
    await send(other, ask())
    await other.read()
    assert await end_of(gateway.open("third")) == too_many
    mine[0].cancel()
    await eventually(lambda: open_streams() == 2)
    again = gateway.open("third")
    await send(again, ask())
    assert reason(*await read(again, 1)) == ""


@settings(merchant_items_at_once=3)
async def test_a_merchants_items_wait_for_each_other_and_never_hold_up_another_merchant(
    gateway: Gateway,
) -> None:
    servicer = gateway.servicer
    servicer.at_once = False
    noisy, items = [gateway.open("noisy"), gateway.open("noisy")], [ask() for _ in range(20)]
    for number, item in enumerate(items):
        await send(noisy[number % 2], item)
    await eventually(lambda: len(servicer.begun) == 3)
    servicer.gate.set()
    await gateway.call("quiet")
    quiet, first = gateway.open("quiet"), ask()
    await send(quiet, first)
    await eventually(lambda: id_of(first) in servicer.begun)
    assert len(servicer.begun) == 4, "of the noisy one no more were begun"
    await gateway.call("noisy")  # nor does a call of the merchant's own wait behind its items
    done: set[str] = set()

    def answer_one() -> bool:
        ready = [i for i, f in servicer.begun.items() if i != id_of(first) and i not in done]
        if ready:
            done.add(ready[0])
            servicer.begun[ready[0]].set_result("")
        assert len(servicer.begun) - len(done) <= 4
        return len(done) == len(items)

    assert await eventually(answer_one), "all were begun in their turn"
    turns = [
        [id_of(item) for item in items].index(begun) % 2 for begun in servicer.begun if begun != id_of(first)
    ]
    assert turns[4:16].count(0) == 6, "one item of each stream, and again"


@settings(max_in_flight=2)
async def test_items_in_all_are_bounded_and_wait_for_a_place(gateway: Gateway) -> None:
    servicer = gateway.servicer
    servicer.at_once = False
    calls = [gateway.open(merchant) for merchant in ("a", "b", "c")]
    for call in calls:
        await send(call, ask())
    await eventually(lambda: len(servicer.begun) == 2)
    servicer.gate.set()
    await gateway.call("d")  # calls have places of their own
    assert len(servicer.begun) == 2
    next(iter(servicer.begun.values())).set_result("")
    await eventually(lambda: len(servicer.begun) == 3)
    for call in calls:
        call.cancel()
    await eventually(lambda: metrics.GRPC_ITEMS._value.get() == 0)


@settings(stream_items=4)
async def test_a_stream_is_read_on_only_while_few_of_its_items_are_unanswered(gateway: Gateway) -> None:
    servicer = gateway.servicer
    servicer.at_once = False
    call = gateway.open()
    await send(call, *(ask() for _ in range(10)))
    await eventually(lambda: len(servicer.begun) == 4)
    quick = gateway.open("warung")
    servicer.at_once = True
    await send(quick, ask())
    await quick.read()
    assert len(servicer.begun) == 5
    for future in list(servicer.begun.values())[:4]:
        future.set_result("")
    await call.done_writing()
    assert len(await rest(call)) == 10


@settings(stream_write_s=0.3, stream_items=16)
async def test_a_reader_that_stops_reading_is_ended_and_costs_only_what_the_wire_and_its_window_hold(
    gateway: Gateway,
) -> None:
    gateway.servicer.size = 50_000
    exhausted = metrics.GRPC_STREAMS_ENDED.labels(*LABELS, "ResourceExhausted")
    before = exhausted._value.get()
    slow = gateway.open(timeout=None)
    await send(slow, *(ask() for _ in range(200)))
    quick = gateway.open("warung", timeout=None)
    while exhausted._value.get() == before:  # another stream goes on all the while
        await send(quick, ask())
        assert reason(*await read(quick, 1)) == ""
    assert exhausted._value.get() == before + 1
    begun = sum(1 for who in gateway.servicer.callers if who.merchant_id == "toko")
    assert begun < 150, "what it did not read was not decided for it"
    assert await end_of(slow) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_READER")


async def test_a_draining_server_answers_what_it_has_begun_and_then_says_unavailable(
    gateway: Gateway,
) -> None:
    servicer = gateway.servicer
    servicer.at_once = False
    call, idle, items = gateway.open(), gateway.open("warung"), [ask(), ask()]
    await send(call, *items)
    await eventually(lambda: len(servicer.begun) == 2 and open_streams() == 2)
    stopping = asyncio.create_task(gateway.built.stop(10))
    over = (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert await end_of(idle) == over
    for item in items:
        servicer.begun[id_of(item)].set_result("")
    assert [a.hold_id for a in await read(call, 2)] == [id_of(item) for item in items]
    assert await end_of(call) == over
    await asyncio.wait_for(stopping, 5)


async def test_a_stream_whose_token_expires_answers_what_it_has_begun_and_ends(gateway: Gateway) -> None:
    servicer = gateway.servicer
    servicer.at_once = False
    call, item = gateway.open(expires_in=-28), ask()  # tokens are believed 30 s longer
    await send(call, item)
    await eventually(lambda: servicer.begun)
    await eventually(lambda: _reading_is_over(gateway), within=5)
    servicer.begun[id_of(item)].set_result("")
    assert [a.hold_id for a in await read(call, 1)] == [id_of(item)]
    assert await end_of(call) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


def _reading_is_over(gateway: Gateway) -> bool:
    return all(s._last_word is not None for s in gateway.built.streams._open)


@settings(stream_age_s=0.2)
async def test_a_stream_that_grows_old_ends_so_that_it_moves(gateway: Gateway) -> None:
    call = gateway.open()
    await send(call, ask())
    await call.read()
    assert await end_of(call) == (grpc.StatusCode.UNAVAILABLE, "STREAM_AGED")


async def test_a_gateway_that_goes_takes_back_what_was_not_decided(gateway: Gateway) -> None:
    gateway.servicer.at_once = False
    call = gateway.open()
    await send(call, ask(), ask())
    await eventually(lambda: len(gateway.servicer.begun) == 2)
    call.cancel()
    await eventually(lambda: all(f.cancelled() for f in gateway.servicer.begun.values()))
    await eventually(lambda: open_streams() == 0)
    assert metrics.GRPC_ITEMS._value.get() == 0


async def test_items_are_counted_and_timed_as_calls_are(gateway: Gateway) -> None:
    ok, bad = handled("OK"), handled("InvalidArgument")
    timed = metrics.GRPC_SECONDS.labels(*LABELS)
    before, ended = timed._sum.get(), metrics.GRPC_STREAMS_ENDED.labels(*LABELS, "OK")._value.get()
    call = gateway.open()
    await send(call, ask(), ask(), ask(hold_id="no uuid"))
    await call.done_writing()
    await rest(call)
    assert (handled("OK") - ok, handled("InvalidArgument") - bad) == (2, 1)
    assert timed._sum.get() > before
    await eventually(lambda: metrics.GRPC_STREAMS_ENDED.labels(*LABELS, "OK")._value.get() == ended + 1)


async def test_a_method_that_takes_a_stream_unmarked_stops_the_start(keys: Keys) -> None:
    class Reads(holds_pb2_grpc.HoldServiceServicer):
        async def StreamAuthorize(self, requests: Any, context: Any) -> None:  # type: ignore[override]
            """Would read past every guard."""

    settings = ServiceSettings(database_url="unused", jwks_files=[keys.jwks])
    with pytest.raises(RuntimeError, match="StreamAuthorize takes a stream; mark it"):
        await build_server(settings, [(holds_pb2_grpc.add_HoldServiceServicer_to_server, Reads())])
