"""The inbox's upkeep: partitions by the day of the record, a week ahead, 45 days back."""

from datetime import UTC, date, datetime, timedelta

from kit.events import inbox
from kit.events.envelope import Envelope

TODAY = date(2026, 11, 22)


async def _names(shop) -> set[str]:
    rows = await shop.pool.fetch(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'inbox'::regclass"
    )
    return {row[0] for row in rows}


async def _maintain(shop, today: date) -> None:
    async with shop.pool.acquire() as conn, conn.transaction():
        await inbox.maintain(conn, today)


async def test_partitions_are_made_a_week_ahead_and_dropped_after_45_days(shop) -> None:
    await _maintain(shop, TODAY)
    assert await _names(shop) == {
        "inbox_default",
        *(inbox.partition_name(TODAY + timedelta(days=n)) for n in range(8)),
    }
    await _maintain(shop, TODAY)
    await _maintain(shop, TODAY + timedelta(days=45))
    assert inbox.partition_name(TODAY) in await _names(shop)
    await _maintain(shop, TODAY + timedelta(days=46))
    names = await _names(shop)
    assert inbox.partition_name(TODAY) not in names
    assert inbox.partition_name(TODAY + timedelta(days=1)) in names


async def test_a_day_that_began_in_the_default_partition_stays_there_and_is_forgotten_in_time(shop) -> None:
    await shop.pool.execute("insert into inbox values ($1, gen_random_uuid())", TODAY)
    await _maintain(shop, TODAY)
    names = await _names(shop)
    assert inbox.partition_name(TODAY) not in names
    assert inbox.partition_name(TODAY + timedelta(days=1)) in names
    await _maintain(shop, TODAY + timedelta(days=45))
    assert await shop.pool.fetchval("select count(*) from inbox_default") == 1
    await _maintain(shop, TODAY + timedelta(days=46))
    assert await shop.pool.fetchval("select count(*) from inbox_default") == 0


def test_the_day_of_an_event_is_the_records_in_utc() -> None:
    late = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    fields = dict.fromkeys(("id", "type", "merchant_id", "key", "time", "traceparent", "topic", "payload"))
    assert inbox.day_of(Envelope(**fields, partition=0, offset=0, record_time=late)) == TODAY
