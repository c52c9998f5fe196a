"""Sending: tried again until it is of no use, never lost, never by the wrong way, skips with a reason."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from kit.testing.eventually import eventually
from langganan.customers.v1 import contacts_pb2
from langganan.events.v1 import notify_pb2
from langganan.notify.v1 import messages_pb2

R, S = messages_pb2.MessageReason, messages_pb2.MessageState
PENDING, SENDING, SENT = S.MESSAGE_STATE_PENDING, S.MESSAGE_STATE_SENDING, S.MESSAGE_STATE_SENT
FAILED, SKIPPED = S.MESSAGE_STATE_FAILED, S.MESSAGE_STATE_SKIPPED


@pytest.mark.parametrize(
    ("rcpt", "data", "met"),
    [
        ("450 Mailbox busy", "250 OK", R.MESSAGE_REASON_CHANNEL_BUSY),
        ("250 OK", "421 Going down", R.MESSAGE_REASON_CHANNEL_BUSY),
    ],
)
async def test_a_refused_mail_is_tried_again_and_then_given_up(
    notify: Any, purchase: Any, rcpt: str, data: str, met: int
) -> None:
    notify.sink.answer_rcpt, notify.sink.answer_data = rcpt, data
    customer_id = await notify.confirm(purchase)
    assert await notify.sweep() == 1
    message = await notify.only(customer_id)
    assert (message.state, message.last_failure, message.reason) == (PENDING, met, 0)
    assert await notify.run.published() == []
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).attempts == 2
    notify.run.clock.advance(timedelta(hours=6, seconds=1))
    await eventually(notify.sweep)
    message = await notify.only(customer_id)
    assert (message.state, message.reason) == (FAILED, R.MESSAGE_REASON_NOT_AFTER_PASSED)
    assert (message.last_failure, message.channel) == (met, "email")
    (said,) = await notify.run.published(notify_pb2.MessageFailed)
    assert (said.customer_id, said.reason, said.channel) == (customer_id, "NOT_AFTER_PASSED", "email")
    assert await notify.sweep_until_idle() == 0


@pytest.mark.parametrize(
    ("rcpt", "data", "met"),
    [
        ("550 No such user siti@example.com", "250 OK", R.MESSAGE_REASON_ADDRESS_REFUSED),
        ("250 OK", "554 Spam", R.MESSAGE_REASON_MESSAGE_REFUSED),
    ],
)
async def test_a_mail_refused_for_good_is_given_up_when_there_is_no_other_way(
    notify: Any, purchase: Any, rcpt: str, data: str, met: int
) -> None:
    notify.sink.answer_rcpt, notify.sink.answer_data = rcpt, data
    customer_id = await notify.confirm(purchase)
    await notify.sweep_until_idle()
    message = await notify.only(customer_id)
    assert (message.state, message.reason, message.attempts) == (FAILED, met, 1)
    (said,) = await notify.run.published(notify_pb2.MessageFailed)
    assert (said.reason, said.channel) == (R.Name(met).removeprefix("MESSAGE_REASON_"), "email")


async def test_a_relay_that_will_not_have_us_refuses_no_message(notify: Any, purchase: Any) -> None:
    notify.sink.answer_mail = "530 5.7.0 log in first"
    customer_id = await notify.confirm(purchase)
    await notify.sweep()
    message = await notify.only(customer_id)
    assert (message.state, message.last_failure) == (PENDING, R.MESSAGE_REASON_CHANNEL_BUSY)
    notify.sink.answer_mail = ""
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).state == SENT


async def test_another_address_and_then_another_channel_are_tried_at_once_after_refusals(
    start_notify: Any, sink: Any, purchase: Any
) -> None:
    ways = [
        (contacts_pb2.CHANNEL_EMAIL, "old@example.com"),
        (contacts_pb2.CHANNEL_EMAIL, "older@example.com"),
        (contacts_pb2.CHANNEL_PHONE, "+628123456789"),
    ]
    async with start_notify(channels={"email": sink.config(), "console": {}}, retry_s=3600.0) as notify:
        sink.answer_rcpt = "550 unknown"
        customer_id = await notify.confirm(purchase, allowed=ways)
        # Also the console carries e-mail, so it takes the first address when the relay has refused it.
        assert await notify.sweep_until_idle() == 2
        message = await notify.only(customer_id)
        assert (message.state, message.channel, message.attempts) == (SENT, "console", 2)
        assert message.last_failure == R.MESSAGE_REASON_ADDRESS_REFUSED


async def test_a_second_address_is_written_to_when_the_first_is_refused(notify: Any, purchase: Any) -> None:
    ways = [(contacts_pb2.CHANNEL_EMAIL, "old@example.com"), (contacts_pb2.CHANNEL_EMAIL, "new@example.com")]
    notify.sink.refused = {"old@example.com"}
    customer_id = await notify.confirm(purchase, allowed=ways)
    await notify.sweep_until_idle()
    assert (await notify.only(customer_id)).state == SENT
    assert [address for address, _ in notify.sink.taken] == ["new@example.com"]


async def test_after_so_many_failures_the_next_channel_has_its_turn_at_once(
    start_notify: Any, sink: Any, purchase: Any
) -> None:
    ways = [(contacts_pb2.CHANNEL_EMAIL, "a@example.com"), (contacts_pb2.CHANNEL_PHONE, "+628123456789")]
    channels = {"email": sink.config(), "console": {}}
    async with start_notify(channels=channels, retry_s=0.01, failures_per_route=3) as notify:
        sink.answer_rcpt = "451 later"
        customer_id = await notify.confirm(purchase, allowed=ways)

        async def finished() -> bool:
            await notify.sweep()
            return (await notify.only(customer_id)).HasField("finish_time")

        await eventually(finished)
        message = await notify.only(customer_id)
        assert (message.state, message.channel, message.attempts) == (SENT, "console", 4)
    async with start_notify(channels=channels, retry_s=600, failures_per_route=1) as notify:
        customer_id = await notify.confirm(purchase, allowed=ways)
        await notify.sweep_until_idle()
        message = await notify.only(customer_id)
        assert (message.state, message.channel, message.attempts) == (SENT, "console", 2), "without a pause"


async def test_a_refused_mail_goes_once_the_relay_takes_it(notify: Any, purchase: Any) -> None:
    notify.sink.answer_rcpt = "451 greylisted"
    customer_id = await notify.confirm(purchase)
    await notify.sweep()
    notify.sink.answer_rcpt = "250 OK"
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).state == SENT
    assert len(notify.sink.taken) == 1


async def test_a_failed_attempt_waits_thirty_seconds(start_notify: Any, sink: Any, purchase: Any) -> None:
    async with start_notify(retry_s=30.0) as notify:
        sink.answer_rcpt = "451 greylisted"
        await notify.confirm(purchase)
        await notify.sweep()
        wait = await notify.run.pool.fetchval(
            "SELECT extract(epoch FROM due_at - now())::float8 FROM messages"
        )
        assert 14 < wait <= 30
        assert await notify.sweep() == 0


async def test_pauses_double_with_each_attempt_up_to_the_longest(
    start_notify: Any, sink: Any, purchase: Any
) -> None:
    async with start_notify(retry_s=30.0, retry_max_s=100.0) as notify:
        sink.answer_rcpt = "451 greylisted"
        await notify.confirm(purchase)
        for longest in (30, 60, 100, 100):
            assert await notify.sweep() == 1
            wait = await notify.run.pool.fetchval(
                "SELECT extract(epoch FROM due_at - now())::float8 FROM messages"
            )
            assert longest / 2 - 1 < wait <= longest
            await notify.run.pool.execute("UPDATE messages SET due_at = now()")


async def test_a_relay_that_is_away_delays_and_loses_nothing(notify: Any, purchase: Any) -> None:
    await notify.confirm(purchase, address="first@example.com")
    await notify.sweep()
    await notify.sink.stop()
    customer_id = await notify.confirm(purchase, address="second@example.com")
    await notify.sweep()
    assert (await notify.only(customer_id)).last_failure == R.MESSAGE_REASON_CHANNEL_UNAVAILABLE
    await notify.sink.start()
    await eventually(notify.sweep)
    assert [address for address, _ in notify.sink.taken] == ["first@example.com", "second@example.com"]


async def test_an_outage_is_probed_with_one_message_and_not_with_all(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(20)]
    await notify.run.deliver(*(purchase(p, at) for p in people))
    await notify.sink.stop()

    async def attempts() -> int:
        count = await notify.run.pool.fetchval("SELECT sum(attempts) FROM messages")
        assert isinstance(count, int)
        return count

    assert await notify.sweep() == 0
    assert await attempts() == 20
    for expected in (21, 22):

        async def probed(expected: int = expected) -> bool:
            await notify.sweep()
            return await attempts() >= expected

        await eventually(probed)
        assert await attempts() == expected
    await notify.sink.start()

    async def all_sent() -> bool:
        await notify.sweep()
        return len(notify.sink.taken) == 20

    await eventually(all_sent)


async def test_a_message_too_late_to_be_of_use_is_skipped(notify: Any, purchase: Any) -> None:
    customer_id = await notify.confirm(purchase)
    notify.run.clock.advance(timedelta(hours=6, seconds=1))
    await notify.sweep()
    message = await notify.only(customer_id)
    assert (message.state, message.reason) == (SKIPPED, R.MESSAGE_REASON_NOT_AFTER_PASSED)
    assert notify.sink.taken == []
    assert notify.book.calls == []


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (contacts_pb2.REFUSAL_UNKNOWN, R.MESSAGE_REASON_CUSTOMER_UNKNOWN),
        (contacts_pb2.REFUSAL_ERASED, R.MESSAGE_REASON_CUSTOMER_ERASED),
        (contacts_pb2.REFUSAL_RESTRICTED, R.MESSAGE_REASON_CUSTOMER_RESTRICTED),
        (contacts_pb2.REFUSAL_NO_CONTACT_POINT, R.MESSAGE_REASON_NO_CONTACT),
        (contacts_pb2.REFUSAL_NO_CONSENT, R.MESSAGE_REASON_NO_CONSENT),
        (contacts_pb2.REFUSAL_INACTIVE, R.MESSAGE_REASON_CUSTOMER_INACTIVE),
    ],
)
async def test_every_skip_is_stored_with_its_reason(
    notify: Any, purchase: Any, refusal: int, reason: int
) -> None:
    customer_id = await notify.confirm(purchase, refusal=refusal)
    await notify.sweep()
    message = await notify.only(customer_id)
    assert (message.state, message.reason) == (SKIPPED, reason)
    assert message.HasField("finish_time")
    assert notify.sink.taken == []
    assert await notify.run.published() == []
    assert [m.message_id for m in await notify.listed(states=[SKIPPED])] == [message.message_id]


async def test_a_customer_without_a_way_that_is_set_up_is_skipped(notify: Any, purchase: Any) -> None:
    phone = [(contacts_pb2.CHANNEL_PHONE, "+628123456789"), (contacts_pb2.CHANNEL_WHATSAPP, "+628123456789")]
    customer_id = await notify.confirm(purchase, allowed=phone)
    await notify.sweep()
    assert (await notify.only(customer_id)).reason == R.MESSAGE_REASON_NO_CHANNEL


async def test_the_customers_first_way_is_used(start_notify: Any, sink: Any, purchase: Any) -> None:
    ways = [(contacts_pb2.CHANNEL_WHATSAPP, "+628123456789"), (contacts_pb2.CHANNEL_EMAIL, "a@example.com")]
    async with start_notify(channels={"email": sink.config(), "console": {}}) as notify:
        customer_id = await notify.confirm(purchase, allowed=ways)
        await notify.sweep()
        assert (await notify.only(customer_id)).channel == "console"
        assert sink.taken == []


async def test_consent_is_asked_again_at_every_attempt(notify: Any, purchase: Any) -> None:
    notify.sink.answer_rcpt = "451 later"
    customer_id = await notify.confirm(purchase)
    await notify.sweep()
    notify.sink.answer_rcpt = "250 OK"
    notify.book.people["toko", customer_id].refusal = contacts_pb2.REFUSAL_RESTRICTED
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).reason == R.MESSAGE_REASON_CUSTOMER_RESTRICTED
    assert notify.sink.taken == []


async def test_a_batch_asks_for_contacts_in_one_call(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(150)]
    await notify.run.deliver(*(purchase(p, at) for p in people), purchase(people[0], at))
    assert await notify.sweep() == 151
    assert notify.book.calls == [("toko", "Bearer a-service-token", 150)]
    assert len(notify.sink.taken) == 151
    assert notify.sink.sessions <= 8


async def test_customers_being_away_delays_and_loses_nothing(notify: Any, purchase: Any) -> None:
    notify.book.fails_with = grpc.StatusCode.FAILED_PRECONDITION
    customer_id = await notify.confirm(purchase)
    await notify.sweep()
    message = await notify.only(customer_id)
    assert (message.state, message.last_failure) == (PENDING, R.MESSAGE_REASON_CONTACTS_UNAVAILABLE)
    notify.book.fails_with = None
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).state == SENT


async def test_an_unreadable_id_does_not_stop_its_batch(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(5)]
    notify.book.unreadable = {people[3]}
    await notify.run.deliver(*(purchase(p, at) for p in people))
    await notify.sweep()
    assert len(notify.sink.taken) == 4
    assert (await notify.only(people[3])).reason == R.MESSAGE_REASON_CUSTOMER_UNKNOWN


async def test_a_text_that_does_not_render_does_not_stop_its_batch(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    bad, good = notify.book.add(), notify.book.add(address="good@example.com")
    await notify.run.deliver(purchase(bad, at, time_zone="Mars/Olympus"), purchase(good, at))
    await notify.sweep()
    assert (await notify.only(good)).state == SENT
    message = await notify.only(bad)
    assert (message.state, message.last_failure) == (PENDING, R.MESSAGE_REASON_TEMPLATE_BROKEN)
    notify.run.clock.advance(timedelta(hours=7))
    await eventually(notify.sweep)
    assert (await notify.only(bad)).state == FAILED
    assert len(await notify.run.published(notify_pb2.MessageFailed)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "template_version = 99",
        "template_version = 1099",
        "template = 'anniversary'",
        """variables = '{"total": {"new": 1}}'""",
    ],
)
async def test_what_only_a_later_build_can_send_waits_for_it(notify: Any, purchase: Any, change: str) -> None:
    customer_id = await notify.confirm(purchase)
    before = await notify.run.pool.fetchrow("SELECT template, template_version, variables FROM messages")
    await notify.run.pool.execute(f"UPDATE messages SET {change}")
    await notify.sweep()
    states = await notify.run.pool.fetch("SELECT state, last_failure FROM messages")
    assert [tuple(row) for row in states] == [("PENDING", "TEMPLATE_BROKEN")]
    await notify.run.pool.execute(
        "UPDATE messages SET template = $1, template_version = $2, variables = $3", *before
    )
    await eventually(notify.sweep)
    assert (await notify.only(customer_id)).state == SENT
