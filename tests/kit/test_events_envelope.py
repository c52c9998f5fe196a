"""Events on the wire and in the outbox."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from kit.events import EventTooLarge, Outgoing, outbox
from kit.events.envelope import LocalRecord, MalformedEvent, as_record, decode, open_record

Event = Callable[..., Outgoing]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_an_event_travels_as_a_cloudevent_in_binary_mode(event: Event) -> None:
    sent = event("tea", traceparent=TRACEPARENT)
    record = as_record(sent, "customers", 7)
    assert record.key == b"ANI"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": sent.id.encode(),
        "ce_type": b"bought",
        "ce_source": b"/langganan/customers",
        "ce_time": b"2026-01-02T03:04:05Z",
        "ce_merchantid": b"toko",
        "content-type": b"application/protobuf",
        "traceparent": TRACEPARENT.encode(),
    }


def test_what_was_sent_is_what_is_received(event: Event) -> None:
    sent = event("tea", traceparent=TRACEPARENT)
    when = datetime(2026, 1, 3, tzinfo=UTC)
    received = decode(open_record(as_record(sent, "customers", 7, sent=when)), StringValue)
    assert (received.id, received.type, received.merchant_id, received.key) == (
        sent.id,
        "bought",
        "toko",
        "ANI",
    )
    assert (received.time, received.record_time, received.traceparent) == (sent.time, when, sent.traceparent)
    assert received.payload == sent.payload


def test_the_prefix_of_a_topic_is_not_part_of_its_name(event: Event) -> None:
    assert open_record(as_record(event("tea"), "demo.customers", 7), "demo.").topic == "customers"


def test_a_record_without_headers_gets_an_id_that_is_always_the_same() -> None:
    bare = LocalRecord("customers", 3, 14, 0, None, None, [])
    first, again = open_record(bare), open_record(bare)
    assert first.id == again.id != open_record(replace(bare, offset=15)).id
    assert first.key == "customers/3/14"
    with pytest.raises(MalformedEvent):
        decode(first, StringValue)


def test_a_payload_of_another_kind_is_malformed(event: Event) -> None:
    envelope = replace(open_record(as_record(event("tea"), "customers", 7)), payload=b"\xff\xff")
    with pytest.raises(MalformedEvent):
        decode(envelope, StringValue)


async def test_events_wait_in_the_order_in_which_they_were_published(shop, event: Event) -> None:
    await shop.publish(*(event(f"tea {n}", key=f"K{n % 7}") for n in range(300)))
    await shop.publish(event("last"))
    assert await shop.waiting() == [*(f"tea {n}" for n in range(300)), "last"]


async def test_an_event_is_not_published_when_its_transaction_fails(shop, event: Event) -> None:
    async def sell() -> None:
        async with shop.pool.acquire() as conn, conn.transaction():
            await outbox.publish(conn, "customers", [event("tea")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await sell()
    assert await shop.waiting() == []


async def test_an_event_too_large_for_a_record_is_refused_when_written(shop, event: Event) -> None:
    with pytest.raises(EventTooLarge) as caught:
        await shop.publish(event("x" * 900_001))
    assert caught.value.reason == "EVENT_TOO_LARGE"
    assert await shop.waiting() == []


async def test_the_backlog_tells_how_many_wait_and_for_how_long(shop, event: Event) -> None:
    async with shop.pool.acquire() as conn:
        empty = await outbox.backlog(conn)
        assert (empty.depth, empty.age) == (0, 0)
        await shop.publish(event("tea"), event("salt"))
        await conn.execute("update outbox set created_at = now() - interval '1 minute' where id = 1")
        full = await outbox.backlog(conn)
    assert full.depth == 2
    assert 60 <= full.age < 120
