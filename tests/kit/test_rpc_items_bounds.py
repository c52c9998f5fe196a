"""What bounds a stream of items: places, turns, room, age, and its orderly end."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from kit import metrics
from kit.rpc import build_server
from kit.settings import ServiceSettings
from kit.testing import Keys, eventually
from langganan.credit.v1 import holds_pb2_grpc
from tests.kit.items import (
    LABELS,
    Gateway,
    ask,
    end_of,
    handled,
    id_of,
    open_streams,
    read,
    reason,
    rest,
    send,
    settings,
)


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
