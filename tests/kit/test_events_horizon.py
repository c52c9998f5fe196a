"""The horizon: it never says that all older events are here while one of them may still be on its way."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from kit.broker import Broker
from kit.events import Outgoing, Relay, Speaker, horizon, publish
from kit.events.envelope import LocalRecord, as_record
from kit.events.progress import MARGIN, NEVER
from kit.events.trouble import TooManyPoisoned
from kit.testing import ManualClock, eventually
from kit.testing.progress import progress_record

Event = Callable[..., Outgoing]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_offsets = itertools.count(1_000_000)


def told(until: datetime, partition: int = 0, partitions: int = 3, topic: str = "customers") -> LocalRecord:
    """The record by which a publisher tells how far it has come."""
    return progress_record(until, topic, next(_offsets), partition=partition, partitions=partitions)


async def heard(shop, topic: str = "customers") -> datetime:
    async with shop.pool.acquire() as conn:
        return await horizon(conn, topic)


def relay_of(shop, bootstrap: str, prefix: str, clock: ManualClock, **more) -> Relay:
    margin = more.pop("margin", timedelta(0))
    speaker = Speaker("customers", clock, margin)
    return Relay(dsn=shop.url, broker=Broker(bootstrap), prefix=prefix, speaker=speaker, **more)


async def stands_at(shop, instant: datetime) -> bool:
    return await heard(shop) == instant


async def test_the_horizon_is_the_least_of_all_partitions_and_none_may_be_missing(shop) -> None:
    consumer = shop.consumer()
    assert await heard(shop) == NEVER
    await consumer.process([told(NOON + HOUR, 0), told(NOON, 1)])
    assert await heard(shop) == NEVER, "partition 2 has told nothing"
    await consumer.process([told(NOON + 2 * HOUR, 2)])
    assert await heard(shop) == NOON
    assert await heard(shop, "loyalty") == NEVER, "each topic has its own"


async def test_what_is_heard_late_or_again_moves_nothing_back(shop) -> None:
    consumer = shop.consumer()
    every = range(3)
    await consumer.process([told(NOON + HOUR, p) for p in every])
    await consumer.process([told(NOON, p) for p in every])
    assert await heard(shop) == NOON + HOUR
    await consumer.process([told(instant, p) for p in every for instant in (NOON + 3 * HOUR, NOON)])
    assert await heard(shop) == NOON + 3 * HOUR


async def test_progress_is_noted_with_the_events_before_it_or_not_at_all(shop, event: Event) -> None:
    consumer = shop.consumer()
    shop.broken = {"poison"}
    poison = [as_record(event("poison", key=f"K{n}"), "customers", n) for n in range(11)]
    with pytest.raises(TooManyPoisoned):
        await consumer.process([*poison, *(told(NOON, p) for p in range(3))])
    assert await heard(shop) == NEVER
    shop.broken = set()
    await consumer.process([*poison, *(told(NOON, p) for p in range(3))])
    assert await heard(shop) == NOON
    assert len(await shop.effects()) == 11


async def test_a_parked_customer_does_not_hold_the_horizon(shop, event: Event) -> None:
    shop.broken = {"poison"}
    records = [as_record(event("poison"), "customers", 1), *(told(NOON, p) for p in range(3))]
    await shop.consumer().process(records)
    assert await shop.parked() == [("poison", "POISONED")]
    assert await heard(shop) == NOON


async def test_progress_is_nobodys_event(shop) -> None:
    consumer = shop.consumer(group="told")
    await consumer.process([told(NOON, p) for p in range(3)])
    assert await shop.pool.fetchval("select count(*) from inbox") == 0
    assert await shop.parked() == []
    assert shop.calls == []


async def test_progress_that_cannot_be_read_says_nothing_and_stops_nobody(shop, event: Event) -> None:
    garbage = told(NOON)
    broken = LocalRecord(
        "customers", 0, next(_offsets), garbage.timestamp, None, b"\xff\xff", garbage.headers
    )
    await shop.consumer().process([broken, as_record(event("tea"), "customers", 1)])
    assert await shop.effects() == ["tea"]
    assert await heard(shop) == NEVER


async def test_a_publisher_whose_worker_is_down_lets_the_horizon_stand(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    consumer = shop.consumer(kafka_bootstrap, prefix)
    shop.start(consumer.run())
    relay = shop.start(relay_of(shop, kafka_bootstrap, prefix, clock).run())
    await eventually(lambda: stands_at(shop, NOON), within=20)
    await shop.stop(relay)
    await shop.publish(event("tea"))
    clock.advance(HOUR)
    await eventually(consumer.settled)  # what it hears is all that is in Kafka, and that is not all
    assert await shop.effects() == []
    assert await heard(shop) == NOON
    shop.start(relay_of(shop, kafka_bootstrap, prefix, clock).run())
    await eventually(lambda: stands_at(shop, NOON + HOUR), within=20)
    assert await shop.effects() == ["tea"]


async def test_a_consumer_that_is_down_lets_its_horizon_stand(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    shop.start(relay_of(shop, kafka_bootstrap, prefix, clock).run())
    run = shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    await eventually(lambda: stands_at(shop, NOON), within=20)
    await shop.stop(run)
    await shop.publish(event("tea"))
    clock.advance(HOUR)
    await eventually(lambda: emptied(shop))
    assert await heard(shop) == NOON
    shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    await eventually(lambda: stands_at(shop, NOON + HOUR), within=20)
    assert await shop.effects() == ["tea"]


async def emptied(shop) -> bool:
    return await shop.waiting() == []


async def test_a_transaction_in_flight_holds_the_horizon_until_its_event_is_applied(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    shop.start(relay_of(shop, kafka_bootstrap, prefix, clock).run())
    shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    await eventually(lambda: stands_at(shop, NOON), within=20)
    async with shop.pool.acquire() as conn:
        sale = conn.transaction()
        await sale.start()
        await publish(conn, "customers", [event("tea")])  # true at noon, not committed yet
        clock.advance(HOUR)
        # Two looks at least, and whatever was sent after them is here.
        for what in ("salt", "rice"):
            await shop.publish(event(what, key="BUDI"))
            await eventually(lambda: has(shop, what))  # noqa: B023
        assert await heard(shop) == NOON, "an outbox that looks empty is not all"
        await sale.commit()
    await eventually(lambda: stands_at(shop, NOON + HOUR), within=20)
    assert await has(shop, "tea")


async def has(shop, what: str) -> bool:
    return what in await shop.effects()


@pytest.mark.parametrize("slices", [1, 3])
async def test_whatever_is_older_than_the_horizon_is_applied_at_any_moment(
    shop, event: Event, kafka_bootstrap: str, prefix: str, slices: int
) -> None:
    clock = ManualClock(NOON)
    shop.start(relay_of(shop, kafka_bootstrap, prefix, clock, slices=slices).run())
    shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    # More at first than the relay reads at once; then one event a minute of the clock.
    await shop.publish(*(event(f"first {m}", key=f"K{m % 7}") for m in range(FIRST)))
    seen: set[datetime] = set()

    async def a_minute_passes() -> bool:
        clock.advance(timedelta(minutes=1))
        await shop.publish(event(clock.now().isoformat()))
        seen.add(await nothing_older_is_missing(shop))
        return len(seen) > 5

    await eventually(a_minute_passes, within=30, every=0)
    await eventually(lambda: stands_at(shop, clock.now()), within=30)
    await nothing_older_is_missing(shop)


FIRST = 2_500


async def nothing_older_is_missing(shop) -> datetime:
    async with shop.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        until = await horizon(conn, "customers")
        applied = await conn.fetchval("select count(*) from effects")
    if until > NOON:
        assert applied >= FIRST + (until - NOON) / timedelta(minutes=1) - 1
    return until


async def test_a_running_clock_leaves_a_margin_for_who_has_not_begun_to_write(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    relay = relay_of(shop, kafka_bootstrap, prefix, clock, margin=MARGIN)
    shop.start(relay.run())
    shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    await eventually(lambda: stands_at(shop, NOON - MARGIN), within=20)
    assert not relay.silent, "nobody waits for a clock that runs"
    clock.advance(HOUR)
    await eventually(lambda: stands_at(shop, NOON + HOUR - MARGIN), within=20)


async def test_progress_is_neither_measured_as_an_event_nor_left_behind(
    shop, event: Event, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    consumer = shop.consumer(kafka_bootstrap, prefix, group="measured")
    shop.start(relay_of(shop, kafka_bootstrap, prefix, clock).run())
    shop.start(consumer.run())
    await shop.publish(event("tea"))
    for _ in range(5):
        clock.advance(HOUR)
        await eventually(lambda: stands_at(shop, clock.now()), within=20)
    await eventually(consumer.settled)
    labels = {"group": "measured"}
    assert REGISTRY.get_sample_value("langganan_event_seconds_count", labels) == 1
    assert REGISTRY.get_sample_value("langganan_poll_records_sum", labels) == 1


async def test_a_standing_clock_that_moves_a_little_is_told_when_somebody_waits(
    shop, kafka_bootstrap: str, prefix: str
) -> None:
    clock = ManualClock(NOON)
    relay = relay_of(shop, kafka_bootstrap, prefix, clock)
    shop.start(relay.run())
    shop.start(shop.consumer(kafka_bootstrap, prefix).run())
    await eventually(lambda: stands_at(shop, NOON), within=20)
    assert not relay.silent
    clock.advance(timedelta(milliseconds=10))
    assert relay.silent
    relay.hurry()
    await eventually(lambda: stands_at(shop, clock.now()), within=2)
    assert not relay.silent
