"""A stream of items: each item is a call of its own in all that guards it; the stream takes no place."""

import asyncio

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from kit.errors import IdempotencyConflict, ResourceExhausted
from kit.testing import eventually
from langganan.credit.v1 import holds_pb2
from tests.kit.items import (
    MOST,
    SERVICE,
    Gateway,
    ask,
    end_of,
    id_of,
    message,
    open_streams,
    read,
    reason,
    rest,
    send,
    settings,
)


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
