"""A message is claimed, sent and written down by one worker at a time, whoever dies or is slow meanwhile."""

import asyncio
from typing import Any

from kit.testing.eventually import eventually
from langganan.events.v1 import notify_pb2
from langganan.notify.v1 import messages_pb2

R, S = messages_pb2.MessageReason, messages_pb2.MessageState
PENDING, SENDING, SENT = S.MESSAGE_STATE_PENDING, S.MESSAGE_STATE_SENDING, S.MESSAGE_STATE_SENT


async def test_a_crash_after_the_claim_sends_again_under_the_same_message_id(
    notify: Any, purchase: Any
) -> None:
    customer_id = await notify.confirm(purchase)
    await notify.sweep()
    first = notify.sink.taken[0][1]["Message-ID"]
    # The worker died after the relay took the mail and before that was written; its lease lasts.
    await notify.run.pool.execute(
        "UPDATE messages SET state = 'SENDING', finished_at = NULL, due_at = now() + interval '1 hour'"
    )
    assert await notify.sweep() == 0
    assert (await notify.only(customer_id)).state == SENDING
    await notify.run.pool.execute("UPDATE messages SET due_at = now()")
    await eventually(notify.sweep)
    assert [mail["Message-ID"] for _, mail in notify.sink.taken] == [first, first]
    assert (await notify.only(customer_id)).attempts == 2


async def test_sending_is_committed_before_the_relay_is_spoken_to(notify: Any, purchase: Any) -> None:
    notify.sink.answers.clear()
    customer_id = await notify.confirm(purchase)
    sweep = asyncio.create_task(notify.sweep())
    await eventually(lambda: notify.sink.sessions)
    assert (await notify.only(customer_id)).state == SENDING
    notify.sink.answers.set()
    assert await sweep == 1


async def test_what_was_sent_is_written_even_when_its_customer_is_locked_for_long(
    notify: Any, purchase: Any
) -> None:
    customer_id = await notify.confirm(purchase)
    async with notify.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM recipients FOR UPDATE")
        sweep = asyncio.create_task(notify.sweep())
        await eventually(lambda: notify.sink.taken)
        done, _ = await asyncio.wait([sweep], timeout=0.8)  # longer than lock_timeout
        assert not done
    assert await sweep == 1
    assert (await notify.only(customer_id)).state == SENT


async def test_an_outcome_after_the_lease_is_not_written(
    start_notify: Any, new_database: Any, sink: Any, purchase: Any
) -> None:
    url = await new_database("notify")
    # The slow worker gives up after its lease, while another's attempt is under way.
    async with start_notify(url, lease_s=0.1, send_timeout_s=1.0) as slow, start_notify(url) as quick:
        sink.answers.clear()
        customer_id = await slow.confirm(purchase)
        late = asyncio.create_task(slow.sweep())
        await eventually(lambda: sink.sessions)
        again = asyncio.create_task(eventually(quick.sweep))
        await eventually(lambda: sink.sessions == 2)
        await late
        message = await quick.only(customer_id)
        assert (message.state, message.attempts, message.last_failure) == (SENDING, 2, 0)
        sink.answers.set()
        await again
        message = await quick.only(customer_id)
        assert (message.state, message.attempts) == (SENT, 2)
        assert len(await quick.run.published(notify_pb2.MessageDelivered)) == 1


async def test_many_workers_send_each_message_once(
    start_notify: Any, new_database: Any, sink: Any, purchase: Any
) -> None:
    url = await new_database("notify")
    async with start_notify(url, send_batch=7) as one, start_notify(url, send_batch=7) as two:
        at = one.run.clock.now()
        people = [one.book.add(address=f"p{n}@example.com") for n in range(60)]
        await one.run.deliver(*(purchase(p, at) for p in people))
        await asyncio.gather(*(n.sweep_until_idle() for n in (one, two, one, two)))
        assert len({address for address, _ in sink.taken}) == len(sink.taken) == 60


async def test_stopping_finishes_what_is_under_way_and_returns_the_rest(
    start_notify: Any, sink: Any, purchase: Any
) -> None:
    async with start_notify(channels={"email": sink.config(connections=2)}) as notify:
        sink.answers.clear()
        at = notify.run.clock.now()
        people = [notify.book.add(address=f"p{n}@example.com") for n in range(6)]
        await notify.run.deliver(*(purchase(p, at) for p in people))
        sweep = asyncio.create_task(notify.sweep())
        await eventually(lambda: sink.sessions == 2)
        sweep.cancel()
        sink.answers.set()
        await asyncio.wait([sweep])
        assert sweep.cancelled()
        states = sorted(m.state for m in await notify.listed())
        assert states == sorted([SENT, SENT, PENDING, PENDING, PENDING, PENDING])
        assert len(sink.taken) == 2


async def test_a_hanging_relay_does_not_hold_a_message_for_ever(
    start_notify: Any, sink: Any, purchase: Any
) -> None:
    async with start_notify(send_timeout_s=0.2) as notify:
        sink.answers.clear()
        customer_id = await notify.confirm(purchase)
        await notify.sweep()
        assert (await notify.only(customer_id)).last_failure == R.MESSAGE_REASON_CHANNEL_UNAVAILABLE
        sink.answers.set()
        await eventually(notify.sweep)
        assert (await notify.only(customer_id)).state == SENT
