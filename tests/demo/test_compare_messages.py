"""The comparison of messages is awake: what is missing, too much or for another reason is a difference."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import grpc
import pytest

from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from local.demo.compare.found import Found
from local.demo.compare.messages import compare_messages
from local.demo.gateway import Gateway
from local.demo.oracle.books import Books
from local.demo.oracle.points import PointsBook
from local.demo.oracle.post import Letter, Post
from local.demo.people import Directory

CUSTOMER = "0123456789ABC"
ZONE = "Asia/Jakarta"
State, Reason = messages_pb2.MessageState, messages_pb2.MessageReason


class Messages(messages_pb2_grpc.MessageServiceServicer):
    """Lists what it is told."""

    def __init__(self) -> None:
        self.kept: list[messages_pb2.Message] = []

    async def ListMessages(
        self,
        request: messages_pb2.ListMessagesRequest,
        context: grpc.aio.ServicerContext[
            messages_pb2.ListMessagesRequest, messages_pb2.ListMessagesResponse
        ],
    ) -> messages_pb2.ListMessagesResponse:
        return messages_pb2.ListMessagesResponse(messages=self.kept)


Compare = Callable[..., Awaitable[Found]]


@pytest.fixture
async def compared() -> AsyncIterator[Compare]:
    """`await compared(*messages)`: what is found when these are listed and two letters must be."""
    server = grpc.aio.server()
    listing = Messages()  # type: ignore[abstract]  # nothing else is asked
    messages_pb2_grpc.add_MessageServiceServicer_to_server(listing, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gateway = Gateway(dict.fromkeys(("customers", "loyalty", "credit", "notify"), f"127.0.0.1:{port}"), "t")

    async def compare(*messages: messages_pb2.Message) -> Found:
        person = replace(Directory(1).person(1), email="sari@example.com")
        books = Books(CUSTOMER, person, ZONE, PointsBook(ZONE), Post(ZONE, True, False))
        for letter in (
            Letter("tier-changed", "2", 0, state="SKIPPED", reasons={"REPLACED", "NO_CHANNEL"}),
            Letter("payment-due", "2017-03-01", 0, state="SENT"),
        ):
            books.post.letters[letter.kind, letter.cause] = letter
        listing.kept = list(messages)
        found = Found()
        await compare_messages(gateway, found, books)
        return found

    yield compare
    await gateway.close()
    await server.stop(None)


def message(kind: str, cause: str, state: State, reason: str = "", channel: str = "") -> messages_pb2.Message:
    return messages_pb2.Message(
        kind=kind,
        cause=cause,
        state=state,
        reason=Reason.Value(f"MESSAGE_REASON_{reason or 'UNSPECIFIED'}"),
        channel=channel,
    )


DUE = message("payment-due", f"{CUSTOMER}/2017-03-01", State.MESSAGE_STATE_SENT, channel="email")
TIER = message("tier-changed", f"{CUSTOMER}/2", State.MESSAGE_STATE_SKIPPED, "NO_CHANNEL")


async def test_one_of_several_true_reasons_is_right_and_all_is_counted(compared: Compare) -> None:
    found = await compared(DUE, TIER)
    assert found.differences == []
    assert found.sent == {"payment-due": 1}
    assert found.skipped == {("tier-changed", "NO_CHANNEL"): 1}
    assert found.mails == {"sari@example.com": 1}


@pytest.mark.parametrize(
    "messages",
    [
        (DUE,),
        (DUE, TIER, message("birthday", f"{CUSTOMER}/2017", State.MESSAGE_STATE_SENT, channel="email")),
        (DUE, DUE, TIER),
        (DUE, message("tier-changed", f"{CUSTOMER}/2", State.MESSAGE_STATE_SENT, channel="email")),
        (DUE, message("tier-changed", f"{CUSTOMER}/2", State.MESSAGE_STATE_SKIPPED, "NO_CONSENT")),
        (message("payment-due", f"{CUSTOMER}/2017-03-01", State.MESSAGE_STATE_SENT, channel="sms"), TIER),
        (message("payment-due", f"{CUSTOMER}/2017-03-02", State.MESSAGE_STATE_SENT, channel="email"), TIER),
    ],
)
async def test_anything_else_is_a_difference(
    messages: tuple[messages_pb2.Message, ...], compared: Compare
) -> None:
    assert (await compared(*messages)).differences
