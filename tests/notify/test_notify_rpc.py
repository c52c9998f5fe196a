"""MessageService: once by its id whatever is retried, and a documented reason for whatever is wrong."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from kit import paging
from kit.ids import new_customer_id
from kit.testing import error_info
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from notify.messages.model import Reason, State

V = messages_pb2.Variable


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Return the code and the ErrorInfo reason that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), error_info(raised.value).reason


async def test_a_message_asked_for_is_sent(notify: Any, send_request: Any) -> None:
    customer_id = notify.book.add(address="siti@example.com")
    request = send_request(customer_id)
    answer = (await notify.messages.SendMessage(request)).message
    assert (answer.state, answer.cause) == (messages_pb2.MESSAGE_STATE_PENDING, request.message_id)
    await notify.sweep()
    wanted = messages_pb2.GetMessageRequest(message_id=answer.message_id)
    found = (await notify.messages.GetMessage(wanted)).message
    assert found.state == messages_pb2.MESSAGE_STATE_SENT
    assert found.variables == request.variables
    assert found.not_after.ToDatetime() - found.create_time.ToDatetime() == timedelta(hours=6)
    assert [address for address, _ in notify.sink.taken] == ["siti@example.com"]


async def test_a_repeated_request_answers_the_message_as_it_is_now(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add())
    await notify.messages.SendMessage(request)
    await notify.sweep()
    notify.run.clock.advance(timedelta(days=30))
    again = (await notify.messages.SendMessage(request)).message
    assert again.state == messages_pb2.MESSAGE_STATE_SENT
    await notify.sweep_until_idle()
    assert len(notify.sink.taken) == 1


async def test_sixteen_at_once_under_one_id_are_one_message(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add())
    answers = await asyncio.gather(*(notify.messages.SendMessage(request) for _ in range(16)))
    assert len({a.message.SerializeToString(deterministic=True) for a in answers}) == 1
    await asyncio.gather(notify.sweep_until_idle(), notify.sweep_until_idle())
    assert len(notify.sink.taken) == 1


async def test_sixteen_at_once_with_other_content_give_one_message_and_conflicts(
    notify: Any, send_request: Any
) -> None:
    id_ = str(uuid.uuid4())
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(16)]
    calls = [notify.messages.SendMessage(send_request(p, message_id=id_)) for p in people]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    taken = [a for a in answers if not isinstance(a, BaseException)]
    assert len(taken) == 1
    codes = {a.code() for a in answers if isinstance(a, grpc.aio.AioRpcError)}
    assert codes == {grpc.StatusCode.ALREADY_EXISTS}
    assert len(await notify.listed()) == 1


async def test_the_same_id_with_another_content_conflicts(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add())
    await notify.messages.SendMessage(request)
    other = messages_pb2.SendMessageRequest()
    other.CopyFrom(request)
    other.variables["items"].integer = 4
    expected = (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_CONFLICT")
    assert await refused(notify.messages.SendMessage(other)) == expected
    other.dry_run = True
    assert await refused(notify.messages.SendMessage(other)) == expected


async def test_an_answer_that_was_lost_can_be_asked_for_again(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add())
    lost = notify.messages.SendMessage(request)
    lost.cancel()
    answer = (await notify.messages.SendMessage(request)).message
    assert [m.message_id for m in await notify.listed()] == [answer.message_id]


async def test_a_dry_run_answers_what_would_be_and_remembers_nothing(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add(), dry_run=True)
    answer = (await notify.messages.SendMessage(request)).message
    assert (answer.state, answer.variables["items"].integer) == (messages_pb2.MESSAGE_STATE_PENDING, 3)
    assert await notify.listed() == []


async def test_only_the_channel_asked_for_is_used(start_notify: Any, sink: Any, send_request: Any) -> None:
    async with start_notify(channels={"email": sink.config(), "console": {}}) as notify:
        customer_id = notify.book.add()
        await notify.messages.SendMessage(send_request(customer_id, channel="console"))
        await notify.sweep()
        assert (await notify.only(customer_id)).channel == "console"
        assert sink.taken == []


def changed(**variables: V) -> dict[str, Any]:
    """Return changes of the variables of a good request."""
    return {"change": variables}


WRONG = [
    ({"message_id": "ABC"}, "INVALID_FIELDS"),
    ({"message_id": "0B9E3A52-7C1D-4F6E-9A2B-3C4D5E6F7A8B"}, "INVALID_ID"),
    ({"customer_id": "0000000000001"}, "INVALID_CUSTOMER_ID"),
    ({"template": "no-such-text"}, "TEMPLATE_UNKNOWN"),
    ({"channel": "pigeon"}, "CHANNEL_UNKNOWN"),
    ({"variables": {}}, "VARIABLE_MISSING"),
    (changed(colour=V(text="red")), "VARIABLE_UNKNOWN"),
    (changed(items=V(text="three")), "VARIABLE_WRONG_TYPE"),
    (changed(items=V()), "INVALID_FIELDS"),
    (changed(store=V(text="budi@example.com")), "VARIABLE_NOT_NEUTRAL"),
    (changed(store=V(text="call 0812 3456 7890")), "VARIABLE_NOT_NEUTRAL"),
    (changed(store=V(text="+62 812-3456-7890")), "VARIABLE_NOT_NEUTRAL"),
    (changed(receipt_number=V(text="4111 1111 1111 1111")), "PAN_NOT_ALLOWED"),
    (changed(receipt_number=V(text="x" * 65)), "INVALID_FIELDS"),
    (
        changed(total=V(money=messages_pb2.MoneyVariable(amount=Money(currency_code="IDR", nanos=5)))),
        "INVALID_MONEY",
    ),
    (
        changed(total=V(money=messages_pb2.MoneyVariable(amount=Money(currency_code="rupiah")))),
        "INVALID_MONEY",
    ),
    (
        changed(time=V(time=messages_pb2.TimeVariable(time_zone="Mars/Olympus", instant={}))),
        "INVALID_TIME_ZONE",
    ),
    (
        changed(time=V(time=messages_pb2.TimeVariable(time_zone="../etc/passwd", instant={}))),
        "INVALID_TIME_ZONE",
    ),
    (
        changed(time=V(time=messages_pb2.TimeVariable(time_zone="UTC", instant={"seconds": -(10**12)}))),
        "INVALID_DATE",
    ),
    (changed(store=V(date=Date(year=2026, month=2, day=30))), "INVALID_DATE"),
    ({"not_after": {"seconds": 1}}, "NOT_AFTER_INVALID"),
    ({"not_after": {"seconds": 4_000_000_000}}, "NOT_AFTER_INVALID"),
    ({"not_after": {"seconds": 10**15}}, "NOT_AFTER_INVALID"),
]


@pytest.mark.parametrize(("fault", "reason"), WRONG)
async def test_what_is_wrong_is_named_and_nothing_is_written(
    notify: Any, send_request: Any, fault: dict[str, Any], reason: str
) -> None:
    changes = dict(fault)
    variables = changes.pop("change", {})
    request = send_request(changes.pop("customer_id", None) or notify.book.add(), **changes)
    for name, value in variables.items():
        request.variables[name].CopyFrom(value)
    assert await refused(notify.messages.SendMessage(request)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert await notify.listed() == []


async def test_a_message_that_is_not_there_is_not_found(notify: Any) -> None:
    request = messages_pb2.GetMessageRequest(message_id=str(uuid.uuid4()))
    expected = (grpc.StatusCode.NOT_FOUND, "MESSAGE_NOT_FOUND")
    assert await refused(notify.messages.GetMessage(request)) == expected


async def test_another_merchants_messages_are_out_of_reach(notify: Any, send_request: Any) -> None:
    request = send_request(notify.book.add())
    await notify.messages.SendMessage(request)
    theirs = notify.run.stub(messages_pb2_grpc.MessageServiceStub, merchant="warung")
    expected = (grpc.StatusCode.NOT_FOUND, "MESSAGE_NOT_FOUND")
    wanted = messages_pb2.GetMessageRequest(message_id=request.message_id)
    assert await refused(theirs.GetMessage(wanted)) == expected
    assert list((await theirs.ListMessages(messages_pb2.ListMessagesRequest())).messages) == []
    # The same id is free for the other merchant.
    assert (await theirs.SendMessage(request)).message.message_id == request.message_id


async def test_pages_show_every_message_once_newest_first(notify: Any, send_request: Any) -> None:
    customer_id = notify.book.add()
    for _ in range(7):
        await notify.messages.SendMessage(send_request(customer_id))
        await notify.messages.SendMessage(send_request(notify.book.add()))
        notify.run.clock.advance(timedelta(minutes=1))
    for wanted, count in ((customer_id, 7), ("", 14)):
        seen: list[Any] = []
        token = ""
        while True:
            request = messages_pb2.ListMessagesRequest(customer_id=wanted, page_size=3, page_token=token)
            page = await notify.messages.ListMessages(request)
            assert len(page.messages) <= 3
            seen += page.messages
            token = page.next_page_token
            if not token:
                break
        assert len({m.message_id for m in seen}) == len(seen) == count
        times = [m.create_time.ToDatetime() for m in seen]
        assert times == sorted(times, reverse=True)


async def test_a_page_token_is_bound_to_its_filter(notify: Any, send_request: Any) -> None:
    customer_id = notify.book.add()
    for _ in range(3):
        await notify.messages.SendMessage(send_request(customer_id))
    page = await notify.messages.ListMessages(messages_pb2.ListMessagesRequest(page_size=1))
    made_up = paging.encode(["yesterday", "x"], "toko", "", "", ())
    expected = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
    for other in (
        messages_pb2.ListMessagesRequest(customer_id=customer_id, page_token=page.next_page_token),
        messages_pb2.ListMessagesRequest(kind="birthday", page_token=page.next_page_token),
        messages_pb2.ListMessagesRequest(page_token="garbage"),
        messages_pb2.ListMessagesRequest(page_token=made_up),
    ):
        assert await refused(notify.messages.ListMessages(other)) == expected


async def test_lists_are_filtered_by_state_and_kind(notify: Any, send_request: Any) -> None:
    await notify.messages.SendMessage(send_request(notify.book.add()))
    await notify.messages.SendMessage(send_request(new_customer_id()))
    await notify.sweep()
    sent, skipped = messages_pb2.MESSAGE_STATE_SENT, messages_pb2.MESSAGE_STATE_SKIPPED
    assert [m.state for m in await notify.listed(states=[sent])] == [sent]
    assert [m.state for m in await notify.listed(states=[skipped])] == [skipped]
    assert len(await notify.listed(states=[sent, skipped], kind="purchase-confirmation")) == 2
    assert await notify.listed(kind="birthday") == []


@pytest.mark.parametrize("method", ["SendMessage", "GetMessage", "ListMessages"])
async def test_each_method_wants_its_scope(notify: Any, send_request: Any, method: str) -> None:
    stub = notify.run.stub(messages_pb2_grpc.MessageServiceStub, scopes="credit.holds.write")
    request = {
        "SendMessage": send_request(new_customer_id()),
        "GetMessage": messages_pb2.GetMessageRequest(message_id=str(uuid.uuid4())),
        "ListMessages": messages_pb2.ListMessagesRequest(),
    }[method]
    code, reason = await refused(getattr(stub, method)(request))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "MISSING_SCOPE")


def names(enum: Any) -> list[str]:
    return [value.name for value in enum.DESCRIPTOR.values]


def test_states_and_reasons_have_one_name_everywhere() -> None:
    states = {n.removeprefix("MESSAGE_STATE_") for n in names(messages_pb2.MessageState)} - {"UNSPECIFIED"}
    assert states == {str(s) for s in State}
    reasons = {n.removeprefix("MESSAGE_REASON_") for n in names(messages_pb2.MessageReason)} - {"UNSPECIFIED"}
    assert reasons == {str(r) for r in Reason if r}
