"""Replay: what was parked is applied in order, once, when what was wrong is mended."""

import asyncio
from collections.abc import Callable

from kit.events import Outgoing
from kit.events.replay import Replayed

Event = Callable[..., Outgoing]


async def test_a_replay_applies_a_customers_events_in_order(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(event("poison"), event("tea"), event("poison", key="BUDI"), to=consumer)
    await shop.deliver(event("salt"), event("points"), to=consumer)
    shop.broken = set()
    assert await consumer.replay("toko", "ANI") == Replayed(applied=4, left=0)
    assert await shop.effects() == ["poison", "tea", "salt", "points"]
    assert await shop.parked() == [("poison", "POISONED")], "the other customer's stays"
    await shop.deliver(event("rice"), to=consumer)
    assert (await shop.effects())[-1] == "rice", "and the customer is free again"


async def test_a_replay_of_all_takes_every_customer(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(*(event("poison", key=f"K{n}") for n in range(5)), to=consumer)
    shop.broken = set()
    assert await consumer.replay_all() == Replayed(applied=5, left=0)
    assert len(await shop.effects()) == 5


async def test_a_replay_of_what_is_still_broken_leaves_it_and_all_behind(shop, event: Event) -> None:
    shop.broken = {"poison", "also"}
    consumer = shop.consumer()
    await shop.deliver(event("poison"), event("tea"), event("also"), event("salt"), to=consumer)
    assert await consumer.replay("toko", "ANI") == Replayed(applied=0, left=4)
    shop.broken = {"also"}
    assert await consumer.replay("toko", "ANI") == Replayed(applied=2, left=2)
    assert await shop.effects() == ["poison", "tea"]
    assert await shop.parked() == [("also", "POISONED"), ("salt", "BEHIND")]
    [head, _] = await consumer.list_parked()
    assert (head["error_type"], head["attempts"]) == ("ValueError", 1)


async def test_two_replays_at_once_apply_once(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(event("poison"), event("tea"), to=consumer)
    shop.broken = set()
    done = await asyncio.gather(*(consumer.replay("toko", "ANI") for _ in range(4)))
    assert sum(one.applied for one in done) == 2
    assert await shop.effects() == ["poison", "tea"]


async def test_events_that_arrive_during_replays_keep_their_place(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(event("poison"), to=consumer)
    shop.broken = set()

    async def arrive() -> None:
        for n in range(20):
            await shop.deliver(event(f"tea {n}"), to=consumer)

    async def mend() -> None:
        for _ in range(20):
            await consumer.replay("toko", "ANI")

    await asyncio.gather(arrive(), mend())
    await consumer.replay("toko", "ANI")
    assert await shop.effects() == ["poison", *(f"tea {n}" for n in range(20))]
    assert await shop.parked() == []


async def test_a_sweep_leaves_the_poisoned_to_staff(shop, event: Event) -> None:
    shop.broken = {"poison"}
    consumer = shop.consumer()
    await shop.deliver(event("needs A"), topic="loyalty", to=consumer)
    await shop.deliver(event("poison"), to=consumer)
    await shop.pool.execute("update parked_events set retry_at = now() - interval '1 second'")
    await shop.pool.execute("insert into facts values ('A')")
    shop.broken = set()
    assert await consumer.retry_not_yet() == 1
    assert await shop.effects() == ["needs A"]
    assert await shop.parked() == [("poison", "POISONED")]


async def test_an_event_still_not_known_is_tried_less_and_less_often(shop, event: Event) -> None:
    consumer = shop.consumer()
    await shop.deliver(event("needs A"), to=consumer)
    waits = []
    for _ in range(12):
        await shop.pool.execute("update parked_events set retry_at = now()")
        assert await consumer.retry_not_yet() == 0
        waits.append(
            await shop.pool.fetchval("select extract(epoch from retry_at - now())::int from parked_events")
        )
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == 300
    assert waits == sorted(waits)


async def test_an_event_not_known_yet_that_turns_out_broken_waits_for_staff(shop, event: Event) -> None:
    consumer = shop.consumer()
    await shop.deliver(event("needs A"), to=consumer)
    await shop.pool.execute("update parked_events set retry_at = now()")
    shop.broken = {"needs A"}
    assert await consumer.retry_not_yet() == 0
    assert await shop.parked() == [("needs A", "POISONED")]
