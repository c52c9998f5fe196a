"""A newer message of a family takes the place of an older unsent one, wherever that is on its way."""

import asyncio
from datetime import date, timedelta
from typing import Any

from kit.events import Outgoing
from kit.testing.eventually import eventually
from langganan.notify.v1 import messages_pb2

R, S = messages_pb2.MessageReason, messages_pb2.MessageState
PENDING, SENT, SKIPPED = S.MESSAGE_STATE_PENDING, S.MESSAGE_STATE_SENT, S.MESSAGE_STATE_SKIPPED
TODAY, SOON = date(2026, 3, 5), date(2026, 3, 8)


async def credit(notify: Any, *events: Outgoing) -> None:
    await notify.run.deliver(*events, topic="credit")


async def loyalty(notify: Any, *events: Outgoing) -> None:
    await notify.run.deliver(*events, topic="loyalty")


async def test_a_newer_reminder_replaces_the_one_that_waits_whichever_of_the_two_kinds(
    notify: Any, due: Any, tier: Any
) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    customer_id, other = notify.book.add(), notify.book.add()
    owed = [notify.ledger.add(40_000, SOON)]
    await credit(notify, due(customer_id, now, TODAY, due=owed), due(other, now, TODAY, due=owed))
    await loyalty(notify, tier(customer_id, now, "Regular", "VIP"))
    await notify.sweep_until_idle()
    later = notify.at("2026-03-06T07:00")
    await credit(notify, due(customer_id, later, date(2026, 3, 6), overdue=owed))
    await notify.sweep_until_idle()
    notify.at("2026-03-06T08:00")
    await notify.sweep_until_idle()
    found = {m.kind: m for m in await notify.listed(customer_id)}
    assert (found["payment-due"].state, found["payment-due"].reason) == (SKIPPED, R.MESSAGE_REASON_REPLACED)
    assert found["payment-overdue"].state == found["tier-changed"].state == SENT
    assert (await notify.only(other)).state == SENT


async def test_a_message_overtaken_while_it_was_looked_at_is_replaced_as_well(notify: Any, tier: Any) -> None:
    notify.sink.answer_data = "451 later"
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    await loyalty(notify, tier(customer_id, now, "Regular", "VIP", revision=2))
    notify.sink.answers.clear()
    attempt = asyncio.create_task(notify.sweep())
    await eventually(lambda: notify.sink.sessions)
    await loyalty(notify, tier(customer_id, now, "VIP", "Premium", revision=3))
    notify.sink.answers.set()
    await attempt
    states = {m.cause.rpartition("/")[2]: m.reason for m in await notify.listed(customer_id)}
    assert states == {"2": R.MESSAGE_REASON_REPLACED, "3": 0}


async def test_what_a_crash_left_under_way_is_replaced_by_a_newer_one(
    start_notify: Any, new_database: Any, due: Any
) -> None:
    async with start_notify(await new_database("notify"), lease_s=0.2) as notify:
        now = notify.at("2026-03-05T10:00")
        customer_id = notify.book.add()
        owed = [notify.ledger.add(40_000, SOON)]
        await credit(notify, due(customer_id, now, TODAY, due=owed))
        # A worker has claimed it and died.
        await notify.run.pool.execute(
            "UPDATE messages SET state = 'SENDING', attempts = 1, due_at = now() + interval '0.2 s'"
        )
        later = notify.at("2026-03-06T10:00")
        await credit(notify, due(customer_id, later, date(2026, 3, 6), overdue=owed))
        await notify.sweep_until_idle()
        await eventually(notify.sweep)
        found = {m.kind: (m.state, m.reason) for m in await notify.listed(customer_id)}
        assert found == {
            "payment-due": (SKIPPED, R.MESSAGE_REASON_REPLACED),
            "payment-overdue": (SENT, R.MESSAGE_REASON_UNSPECIFIED),
        }
        assert len(notify.sink.taken) == 1


async def test_reminders_of_two_customers_who_turn_out_to_be_one_are_one(
    notify: Any, due: Any, merged: Any
) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    absorbed, survivor = notify.book.add(), notify.book.add()
    owed = [notify.ledger.add(40_000, SOON)]
    await credit(notify, due(absorbed, now, TODAY, due=owed))
    await credit(notify, due(survivor, now + timedelta(minutes=1), TODAY, due=owed))
    await notify.run.deliver(merged(absorbed, survivor, now))
    notify.at("2026-03-06T08:00")
    await notify.sweep_until_idle()
    assert sorted(m.state for m in await notify.listed(survivor)) == sorted([SENT, SKIPPED])
    assert len(notify.sink.taken) == 1


async def test_an_event_heard_again_late_replaces_nothing(notify: Any, tier: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    customer_id = notify.book.add()
    first = tier(customer_id, now, "Regular", "VIP", revision=2)
    second = tier(customer_id, now + timedelta(minutes=1), "VIP", "Premium", revision=3)
    await loyalty(notify, first, second)
    await loyalty(notify, Outgoing(first.type, first.merchant_id, first.key, first.payload, second.time))
    states = {m.cause.rpartition("/")[2]: m.state for m in await notify.listed(customer_id)}
    assert states == {"2": SKIPPED, "3": PENDING}
