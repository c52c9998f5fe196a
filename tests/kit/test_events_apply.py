"""A poll: once in effect, in order for each customer, and one customer's trouble is theirs alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from prometheus_client import REGISTRY

from kit.db import Conn
from kit.events import Handler, Outgoing, Received
from kit.events.envelope import as_record
from kit.events.trouble import TooManyPoisoned
from kit.testing import eventually

Event = Callable[..., Outgoing]


async def test_an_event_delivered_twice_has_one_effect(shop, event: Event) -> None:
    tea = event("tea")
    await shop.deliver(tea)
    await shop.deliver(tea)
    await shop.deliver(tea, tea, event("salt"))
    assert await shop.effects() == ["tea", "salt"]


async def test_an_event_delivered_sixteen_times_at_once_has_one_effect(shop, event: Event) -> None:
    tea = event("tea")
    consumer = shop.consumer()
    await asyncio.gather(*(shop.deliver(tea, to=consumer) for _ in range(16)))
    assert await shop.effects() == ["tea"]


async def test_types_without_a_handler_are_passed_over(shop, event: Event) -> None:
    await shop.deliver(event("x", type="danced"), event("tea"))
    assert await shop.effects() == ["tea"]


async def test_a_late_event_is_applied_like_any_other(shop, event: Event) -> None:
    late = as_record(event("tea"), "customers", 1)
    await shop.consumer().process([replace(late, timestamp=late.timestamp - 20 * 24 * 3600 * 1000)])
    assert await shop.effects() == ["tea"]


async def test_a_poll_is_applied_wave_by_wave_with_one_call_a_type(shop, event: Event) -> None:
    await shop.deliver(
        *(event(f"buy {n}", key=f"K{n}") for n in range(20)),
        *(event(f"give back {n}", key=f"K{n}", type="returned") for n in range(20)),
        event("buy again", key="K3"),
    )
    assert shop.calls == [("bought", 20), ("returned", 20), ("bought", 1)]
    assert await shop.effects("K3") == ["buy 3", "give back 3", "buy again"]


def folding(shop):
    """A consumer whose handler for "bought" takes several events of a customer in one call."""
    handlers = {
        "bought": Handler(StringValue, shop.apply, folds=True),
        "returned": Handler(StringValue, shop.apply),
    }
    return shop.consumer(handlers=handlers)


async def test_a_handler_that_folds_gets_a_backlog_in_few_calls_and_in_order(shop, event: Event) -> None:
    await shop.deliver(
        *(event(f"buy {n}", key=f"K{n % 4}") for n in range(20)),
        event("give back", key="K3", type="returned"),
        event("buy again", key="K3"),
        to=folding(shop),
    )
    assert shop.calls == [("bought", 20), ("returned", 1), ("bought", 1)]
    bought = [f"buy {n}" for n in (3, 7, 11, 15, 19)]
    assert await shop.effects("K3") == [*bought, "give back", "buy again"]


async def test_what_is_refused_in_a_folded_call_holds_what_is_behind_it(shop, event: Event) -> None:
    events = (event("tea"), event("return later"), event("salt"), event("rice", key="BUDI"))
    await shop.deliver(*events, to=folding(shop))
    assert await shop.effects("ANI") == ["tea"]
    assert await shop.effects("BUDI") == ["rice"]
    assert await shop.parked() == [("return later", "NOT_YET"), ("salt", "BEHIND")]


async def test_the_last_of_a_folded_call_is_refused_alone(shop, event: Event) -> None:
    events = (event("tea"), event("return later"), event("rice", key="BUDI"))
    await shop.deliver(*events, to=folding(shop))
    assert shop.calls == [("bought", 3)]
    assert sorted(await shop.effects()) == ["rice", "tea"]
    assert await shop.parked() == [("return later", "NOT_YET")]


async def test_a_poisoned_event_parks_its_customer_and_nobody_else(shop, event: Event) -> None:
    shop.broken = {"poison"}
    await shop.deliver(
        event("tea"),
        event("poison"),
        event("salt"),
        event("rice", key="BUDI"),
        event("oil", key="BUDI"),
        event("soap", merchant="warung"),
    )
    assert await shop.effects("BUDI") == ["rice", "oil"]
    assert sorted(await shop.effects("ANI")) == ["soap", "tea"]
    assert await shop.parked() == [("poison", "POISONED"), ("salt", "BEHIND")]


async def test_what_comes_later_for_a_parked_customer_is_parked_behind(shop, event: Event) -> None:
    shop.broken = {"poison"}
    await shop.deliver(event("poison"))
    await shop.deliver(event("tea"), event("rice", key="BUDI"))
    await shop.deliver(event("points"), topic="loyalty")
    assert await shop.effects() == ["rice"]
    assert await shop.parked() == [("poison", "POISONED"), ("tea", "BEHIND"), ("points", "BEHIND")]


async def test_a_parked_event_delivered_again_is_not_parked_twice(shop, event: Event) -> None:
    shop.broken = {"poison"}
    poison = event("poison")
    await shop.deliver(poison)
    await shop.deliver(poison)
    assert await shop.parked() == [("poison", "POISONED")]


async def test_the_reason_is_kept_without_personal_data(shop, event: Event) -> None:
    shop.broken = {"poison"}
    await shop.deliver(event("poison"))
    [row] = await shop.consumer().list_parked()
    assert row["error_type"] == "ValueError"
    assert row["error"] == "cannot apply poison; ask [email]"


async def test_a_payload_that_cannot_be_read_is_parked(shop, event: Event) -> None:
    bad = replace(as_record(event("tea"), "customers", 1), value=b"\xff\xff")
    await shop.consumer().process([bad, as_record(event("rice", key="BUDI"), "customers", 2)])
    assert await shop.effects() == ["rice"]
    row = await shop.pool.fetchrow("select * from parked_events")
    assert (row["status"], row["error_type"], row["payload"]) == ("POISONED", "MalformedEvent", b"\xff\xff")


async def test_a_lock_that_one_event_breaks_stops_only_that_event(shop, event: Event) -> None:
    async def lock(conn, events) -> None:
        if any(e.payload.value == "no such shop" for e in events):
            raise LookupError("no such shop")
        await shop.lock(conn, events)

    consumer = shop.consumer(lock=lock)
    await shop.deliver(event("tea"), event("no such shop", key="BUDI"), event("salt"), to=consumer)
    assert await shop.effects() == ["tea", "salt"]
    assert await shop.parked() == [("no such shop", "POISONED")]


async def test_what_postgres_refuses_of_one_event_is_that_events_fault(shop, event: Event) -> None:
    await shop.deliver(event("fact A"))
    await shop.deliver(event("fact A", key="BUDI"), event("tea"))
    assert await shop.effects() == ["fact A", "tea"]
    [row] = await shop.consumer().list_parked()
    assert row["error_type"] == "UniqueViolationError"
    assert "(what)=" not in row["error"]


async def test_an_argument_that_the_driver_refuses_is_no_lost_connection(shop, event: Event) -> None:
    async def apply(conn, events) -> None:
        for e in events:
            await conn.execute("select $1::int", e.payload.value if e.payload.value == "word" else 1)

    consumer = shop.consumer(handlers={"bought": Handler(StringValue, apply)})
    await shop.deliver(event("word"), event("fine", key="BUDI"), to=consumer)
    assert await shop.parked() == [("word", "POISONED")]


async def test_an_event_about_something_not_known_yet_waits_for_it(shop, event: Event) -> None:
    consumer = shop.consumer()
    await shop.deliver(event("needs A"), event("tea", key="BUDI"), to=consumer)
    assert await shop.parked() == [("needs A", "NOT_YET")]
    await shop.deliver(event("fact A"), topic="loyalty", to=consumer)
    assert await shop.effects() == ["tea", "fact A"], "another topic is not held up"
    await eventually(consumer.retry_not_yet)
    assert await shop.effects() == ["tea", "fact A", "needs A"]
    assert await shop.parked() == []


async def test_its_own_topic_waits_behind_an_event_not_known_yet(shop, event: Event) -> None:
    consumer = shop.consumer()
    await shop.deliver(event("needs A"), event("tea"), to=consumer)
    await shop.deliver(event("salt"), to=consumer)
    assert await shop.parked() == [("needs A", "NOT_YET"), ("tea", "BEHIND"), ("salt", "BEHIND")]
    await shop.deliver(event("fact A"), topic="loyalty", to=consumer)
    await eventually(consumer.retry_not_yet)
    assert await shop.effects() == ["fact A", "needs A", "tea", "salt"]


async def test_a_refusal_that_is_returned_redoes_nothing(shop, event: Event) -> None:
    await shop.deliver(event("return later"), event("tea", key="BUDI"), event("salt"))
    assert shop.calls == [("bought", 2)]
    assert await shop.effects() == ["tea"]
    assert await shop.parked() == [("return later", "NOT_YET"), ("salt", "BEHIND")]


async def test_a_locked_account_is_waited_for_and_not_parked(shop, event: Event) -> None:
    consumer = shop.consumer()
    await shop.deliver(event("tea"), to=consumer)
    retries = ("langganan_consumer_retries_total", {"group": "shop", "cause": "LockNotAvailableError"})
    before = REGISTRY.get_sample_value(*retries) or 0
    async with shop.pool.acquire() as other:
        await other.execute("begin")
        await other.execute("select 1 from accounts for update")
        poll = asyncio.create_task(shop.deliver(event("salt"), to=consumer))
        await eventually(lambda: (REGISTRY.get_sample_value(*retries) or 0) > before)
        assert not poll.done()
        await other.execute("commit")
        await poll
    assert await shop.effects() == ["tea", "salt"]
    assert await shop.parked() == []


async def test_a_deadlock_takes_the_whole_poll_again(shop, event: Event) -> None:
    tries = 0

    async def apply(conn, events) -> None:
        nonlocal tries
        tries += 1
        await shop.apply(conn, events)
        if tries == 1:
            await conn.execute("do $$ begin raise exception using errcode = '40P01'; end $$")

    consumer = shop.consumer(handlers={"bought": Handler(StringValue, apply)})
    await shop.deliver(event("tea"), event("salt", key="BUDI"), to=consumer)
    assert (tries, await shop.effects(), await shop.parked()) == (2, ["tea", "salt"], [])


async def test_a_full_disk_is_nobodys_fault_and_parks_nothing(shop, event: Event) -> None:
    async def apply(conn, events) -> None:
        await conn.execute("do $$ begin raise exception using errcode = '53100'; end $$")

    tea = event("tea")
    consumer = shop.consumer(handlers={"bought": Handler(StringValue, apply)})
    with pytest.raises(asyncpg.DiskFullError):
        await shop.deliver(tea, to=consumer)
    assert await shop.parked() == []
    await shop.deliver(tea)
    assert await shop.effects() == ["tea"]


async def test_more_than_ten_poisoned_customers_in_a_minute_stop_the_consumer(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(*(event("poison", key=f"K{n}") for n in range(10)), to=consumer)
    assert len(await shop.parked()) == 10
    last = event("poison", key="K10")
    with pytest.raises(TooManyPoisoned):
        await shop.deliver(event("tea"), last, to=consumer)
    assert len(await shop.parked()) == 10
    assert await shop.effects() == [], "the poll that broke the limit left nothing behind"
    shop.broken = set()
    await shop.deliver(last)
    assert await shop.effects() == ["poison"], "and is applied once the handler is mended"


async def test_one_customers_many_poisoned_events_do_not_stop_the_consumer(shop, event: Event) -> None:
    shop.broken = {"poison"}
    await shop.deliver(*(event("poison") for _ in range(30)), event("tea", key="BUDI"))
    assert await shop.effects() == ["tea"]


async def test_a_record_written_yesterday_is_known_by_yesterdays_inbox(shop, event: Event) -> None:
    tea = as_record(event("tea"), "customers", 1)
    old = replace(tea, timestamp=tea.timestamp - int(timedelta(days=1).total_seconds() * 1000))
    consumer = shop.consumer()
    await consumer.process([old])
    await consumer.process([old])
    assert await shop.effects() == ["tea"]


async def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_nobodys_fault(
    shop, event: Event
) -> None:
    async def breaks(conn: Conn, events: list[Received]) -> None:
        # What asyncpg raises when the server is killed while it reads an answer.
        raise asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")

    consumer = shop.consumer(handlers={"bought": Handler(StringValue, breaks)})
    with pytest.raises(asyncpg.InternalClientError):
        await shop.deliver(event("tea"), to=consumer)
    assert await shop.parked() == []
    await shop.deliver(event("tea"))
    assert await shop.effects() == ["tea"]
