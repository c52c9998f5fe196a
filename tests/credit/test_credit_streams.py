"""StreamAuthorize: each item of a stream is answered as Authorize would have answered it, and once."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from kit.ids import new_customer_id, new_uuid
from kit.testing import eventually
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from tests.credit.conftest import TILL, Credit, rupiah

PENDING, DECLINED = holds_pb2.HOLD_STATE_PENDING, holds_pb2.HOLD_STATE_DECLINED


def wish(customer: str, units: int, hold_id: str | None = None, **more: Any) -> holds_pb2.AuthorizeRequest:
    content = {
        "hold_id": hold_id or new_uuid(),
        "customer_id": customer,
        "amount": rupiah(units),
        "origin": TILL,
    }
    return holds_pb2.AuthorizeRequest(**(content | more))


async def ask(call: Any, *wishes: holds_pb2.AuthorizeRequest, timeout: Duration | None = None) -> None:
    for each in wishes:
        item = holds_pb2.AuthorizeItem(authorize=each, timeout=timeout)
        await call.write(holds_pb2.StreamAuthorizeRequest(items=[item]))


async def answers(call: Any, count: int | None = None) -> list[holds_pb2.AuthorizeAnswer]:
    """Read so many answers; without a count half-close and read to the end."""
    got: list[holds_pb2.AuthorizeAnswer] = []
    if count is None:
        await call.done_writing()
    while (count is None or len(got) < count) and (said := await call.read()) is not grpc.aio.EOF:
        got += said.answers
    return got


async def stream_of(stub: Any, *wishes: holds_pb2.AuthorizeRequest) -> list[holds_pb2.AuthorizeAnswer]:
    """Ask all of it over a stream of its own."""
    call = stub.StreamAuthorize()
    await ask(call, *wishes)
    return await answers(call)


def reason(answer: holds_pb2.AuthorizeAnswer) -> str:
    for detail in answer.error.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


async def status_of_call(call: Any) -> status_pb2.Status:
    """The whole status with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return status_pb2.Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])


async def test_each_item_is_decided_as_its_call_would_be_and_matched_by_its_id(credit: Credit) -> None:
    customers = [await credit.open(limit=100_000) for _ in range(20)]
    wishes = [wish(customer, 1_000 + n) for n, customer in enumerate(customers)]
    got = {answer.hold_id: answer.authorized for answer in await stream_of(credit.holds, *wishes)}
    for each in wishes:
        assert got[each.hold_id].hold.amount == each.amount
        assert got[each.hold_id] == await credit.holds.Authorize(each), "and its call finds it decided"
        await credit.check_books(each.customer_id)


@pytest.mark.parametrize(("language", "words"), [("id", "Sisa limit kredit"), ("en", "of credit is left")])
async def test_a_decline_is_an_answer_in_the_streams_language(
    credit: Credit, language: str, words: str
) -> None:
    customer = await credit.open(limit=1_000)
    holds = credit.stub(holds_pb2_grpc.HoldServiceStub, language=language)
    (answer,) = await stream_of(holds, wish(customer, 2_000))
    assert answer.authorized.hold.decline.reason == holds_pb2.DECLINE_REASON_OVER_LIMIT
    assert words in answer.authorized.hold.decline.say


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hold_id": "B7C1A7E2-5C1D-4F6E-9A2B-3C4D5E6F7A8B"}, "INVALID_ID"),
        ({"hold_id": "not-a-uuid"}, "INVALID_FIELDS"),
        ({"customer_id": "0000000000001"}, "INVALID_CUSTOMER_ID"),
        ({"amount": rupiah(0)}, "INVALID_MONEY"),
        ({"amount": {"currency_code": "USD", "units": 5}}, "INVALID_MONEY"),
        ({"amount": None}, "INVALID_FIELDS"),
        ({"ttl": Duration(seconds=86_401)}, "INVALID_FIELDS"),
        ({"origin": None}, "INVALID_FIELDS"),
    ],
)
async def test_a_bad_item_gets_the_error_of_its_call_and_the_others_are_decided(
    credit: Credit, fields: dict[str, Any], expected: str
) -> None:
    customer = await credit.open()
    bad = wish(customer, 5, **fields)
    before, after = wish(customer, 10), wish(customer, 20)
    got = {answer.hold_id: answer for answer in await stream_of(credit.holds, before, bad, after)}
    assert reason(got[bad.hold_id]) == expected
    assert got[bad.hold_id].error == await status_of_call(credit.holds.Authorize(bad))
    assert [got[w.hold_id].authorized.hold.state for w in (before, after)] == [PENDING, PENDING]
    assert (await credit.account(customer)).held.units == 30


async def test_one_id_with_other_content_is_a_conflict_of_that_item_alone(credit: Credit) -> None:
    customer, other = await credit.open(), await credit.open()
    first, good = wish(customer, 1_000), wish(customer, 50)
    conflicts = [wish(customer, 2_000, first.hold_id), wish(other, 1_000, first.hold_id)]
    call = credit.holds.StreamAuthorize()
    await ask(call, first)
    await answers(call, 1)
    await ask(call, *conflicts, good)
    got = await answers(call)
    assert sorted(reason(a) for a in got) == ["", "IDEMPOTENCY_CONFLICT", "IDEMPOTENCY_CONFLICT"]
    for conflict in conflicts:
        assert await status_of_call(credit.holds.Authorize(conflict)) in [a.error for a in got]
    assert (await credit.account(customer)).held.units == 1_050
    assert (await credit.account(other)).held.units == 0


async def test_duplicates_in_a_stream_across_streams_and_beside_calls_are_held_once(credit: Credit) -> None:
    customer = await credit.open(limit=1_000_000)
    wishes = [wish(customer, 1_000 + n) for n in range(8)]
    streams = [stream_of(credit.holds, *wishes, *reversed(wishes)) for _ in range(4)]
    calls = [credit.holds.Authorize(each) for each in wishes]
    told: dict[str, set[bytes]] = {}
    for got in await asyncio.gather(*streams):
        assert len(got) == 16, "each item has its answer"
        for answer in got:
            shown = answer.authorized.hold.SerializeToString(deterministic=True)
            told.setdefault(answer.hold_id, set()).add(shown)
    for reply in await asyncio.gather(*calls):
        told[reply.hold.hold_id].add(reply.hold.SerializeToString(deterministic=True))
    assert {id_: len(shown) for id_, shown in told.items()} == {each.hold_id: 1 for each in wishes}
    assert (await credit.account(customer)).held.units == sum(1_000 + n for n in range(8))
    await credit.check_books(customer)


async def test_64_items_over_eight_streams_and_four_processes_never_pass_the_limit(
    credit: Credit, other_processes: Any
) -> None:
    customer = await credit.open(limit=100_000)
    stubs = [credit.holds, *other_processes(credit.merchant)] * 2
    wishes = [[wish(customer, 7_000) for _ in range(8)] for _ in stubs]
    got = await asyncio.gather(*(stream_of(stub, *some) for stub, some in zip(stubs, wishes, strict=True)))
    states = [answer.authorized.hold.state for some in got for answer in some]
    assert (states.count(PENDING), states.count(DECLINED)) == (100_000 // 7_000, 64 - 100_000 // 7_000)
    await credit.check_books(customer)


async def test_a_half_closed_stream_of_many_more_items_than_are_worked_on_gets_every_answer(
    credit: Credit,
) -> None:
    customers = [await credit.open() for _ in range(10)]
    wishes = [wish(customers[n % 10], 1 + n) for n in range(500)]
    call = credit.holds.StreamAuthorize()
    writing = asyncio.create_task(ask(call, *wishes))
    got = await answers(call, 500)
    await writing
    assert await answers(call) == []
    assert await call.code() is grpc.StatusCode.OK
    assert {answer.hold_id for answer in got} == {each.hold_id for each in wishes}
    for customer in customers:
        await credit.check_books(customer)


async def test_a_gateway_that_breaks_off_and_asks_again_holds_everything_once(credit: Credit) -> None:
    customers = [await credit.open() for _ in range(4)]
    wishes = [wish(customers[n % 4], 100 + n) for n in range(120)]
    first: dict[str, holds_pb2.Hold] = {}
    for so_many in (1, 40, 80):  # broken off while most of it is under way
        call = credit.holds.StreamAuthorize()
        await ask(call, *wishes)
        for answer in await answers(call, so_many):
            first.setdefault(answer.hold_id, answer.authorized.hold)
        call.cancel()
    got = {answer.hold_id: answer.authorized.hold for answer in await stream_of(credit.holds, *wishes)}
    assert set(got) == {each.hold_id for each in wishes}
    assert first == {hold_id: got[hold_id] for hold_id in first}, "what was answered once stays so"
    held = sum([(await credit.account(customer)).held.units for customer in customers])
    assert held == sum(each.amount.units for each in wishes)
    for customer in customers:
        await credit.check_books(customer)


async def test_over_the_queues_limit_an_item_is_told_when_to_come_again(alone: Any) -> None:
    credit = await alone(batch_queue_max=8)
    locked, free = await credit.open(), await credit.open()
    call = credit.holds.StreamAuthorize()
    wishes = [wish(locked, 1_000) for _ in range(12)]
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM accounts WHERE customer_id = $1 FOR NO KEY UPDATE", locked)
        await ask(call, *wishes)
        refused = await answers(call, 1)
        assert reason(refused[0]) == "RESOURCE_EXHAUSTED"
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in refused[0].error.details)
        assert retry.retry_delay.ToMilliseconds() > 0
    rest = await answers(call, len(wishes) - len(refused))
    again = [each for each in wishes if each.hold_id in {a.hold_id for a in (*refused, *rest) if reason(a)}]
    assert 5 <= len(again) <= 11, "half of the queue was the merchant's, and what is under way"
    for each in (*again, wish(free, 1)):
        await ask(call, each)
        assert reason(*await answers(call, 1)) == ""
    assert (await credit.account(locked)).held.units == 12_000


async def test_a_stream_that_waits_for_a_locked_account_holds_up_no_other_merchant(
    credit: Credit, credit_service: Any
) -> None:
    locked, other = await credit.open(), Credit(credit_service)
    customer = await other.open()
    call = credit.holds.StreamAuthorize()
    wishes = [wish(locked, 1_000) for _ in range(100)]
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM accounts WHERE customer_id = $1 FOR NO KEY UPDATE", locked)
        await ask(call, *wishes)
        for _ in range(20):
            assert (await other.authorize(customer, 1_000)).state == PENDING
    assert len(await answers(call)) == 100


async def test_an_item_whose_timeout_passes_before_it_is_begun_holds_nothing(credit: Credit) -> None:
    customer = await credit.open()
    late = wish(customer, 1_000)
    call = credit.holds.StreamAuthorize()
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM accounts WHERE customer_id = $1 FOR NO KEY UPDATE", customer)
        first = wish(customer, 1)
        await ask(call, first)  # is in the lane of its account, and what comes behind it waits
        await eventually(lambda: credit.run.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await ask(call, late, timeout=Duration(nanos=100_000))
        free = wish(await credit.open(), 1)
        await ask(call, free)
        got = await answers(call, 1)  # of what came after it, or of itself
    reasons = {answer.hold_id: reason(answer) for answer in (*got, *await answers(call))}
    assert reasons == {first.hold_id: "", free.hold_id: "", late.hold_id: "DEADLINE_EXCEEDED"}
    assert (await credit.account(customer)).held.units == 1


async def test_another_merchants_stream_finds_nothing_and_changes_nothing(credit: Credit) -> None:
    customer = await credit.open()
    hold = await credit.authorize(customer, 1_000)
    strange = credit.run.stub(holds_pb2_grpc.HoldServiceStub, merchant="somebody-else")
    got = await stream_of(strange, wish(customer, 1_000, hold.hold_id), wish(new_customer_id(), 1))
    assert {a.authorized.hold.decline.reason for a in got} == {holds_pb2.DECLINE_REASON_NO_ACCOUNT}
    assert await credit.hold(customer, hold.hold_id) == hold


async def test_a_dry_run_in_a_stream_keeps_nothing(credit: Credit) -> None:
    customer = await credit.open(limit=10)
    got = await stream_of(credit.holds, wish(customer, 10, dry_run=True), wish(customer, 10, dry_run=True))
    assert [answer.authorized.hold.state for answer in got] == [PENDING, PENDING]
    assert (await credit.account(customer)).held.units == 0
    assert await credit.count("holds") == 0
