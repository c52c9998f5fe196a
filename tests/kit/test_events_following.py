"""What follows from an event is found by it: in log lines, and in its trace, parked events included."""

from collections.abc import Callable
from dataclasses import replace

import structlog
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from kit import logs
from kit.db import Conn
from kit.events import Handler, Outgoing, Received, publish

Event = Callable[..., Outgoing]


def trace(digit: str) -> str:
    return f"00-{digit * 32}-00f067aa0ba902b7-01"


def answering(shop):
    """A consumer whose handler logs, and says for each event that it was heard."""

    async def apply(conn: Conn, events: list[Received]) -> list[Exception | None]:
        structlog.get_logger().info("hearing", size=len(events))
        refusals = await shop.apply(conn, events)
        said = [Outgoing("heard", e.merchant_id, e.key, e.payload, e.time) for e in events]
        await publish(conn, "shop", said)
        return refusals

    return shop.consumer(handlers={"bought": Handler(StringValue, apply)})


async def traces_of_outbox(shop) -> dict[str, str]:
    return {row["key"]: row["traceparent"] for row in await shop.pool.fetch("select * from outbox")}


async def test_each_event_of_a_poll_leads_its_own_trace_on(shop, event: Event) -> None:
    events = [event(f"buy {n}", key=f"K{n}", traceparent=trace(str(n)) if n else "") for n in range(10)]
    with capture_logs(processors=[logs.caused]) as lines:
        await shop.deliver(*events, to=answering(shop))
    assert await traces_of_outbox(shop) == {f"K{n}": trace(str(n)) if n else "" for n in range(10)}
    (line,) = lines
    assert (line["event_ids"], line["event_types"]) == ([e.id for e in events[:8]], ["bought"])
    assert (line["size"], line["causes"], len(line["trace_ids"])) == (10, 10, 7)


async def test_an_event_that_is_parked_is_named_with_its_trace_and_goes_on_in_it(shop, event: Event) -> None:
    shop.broken = {"poison"}
    poison = event("poison", traceparent=trace("a"))
    with capture_logs(processors=[logs.caused]) as lines:
        await shop.deliver(event("rice", key="BUDI", traceparent=trace("b")), poison, to=answering(shop))
    (line,) = [line for line in lines if line["event"] == "event_parked"]
    named = {"event_id": poison.id, "event_type": "bought", "trace_id": "a" * 32, "key": "ANI"}
    assert line.items() >= named.items()
    assert line["why"] == "cannot apply poison; ask [email]"
    shop.broken = set()
    await answering(shop).replay("toko", "ANI")
    assert await traces_of_outbox(shop) == {"BUDI": trace("b"), "ANI": trace("a")}


async def test_what_is_no_traceparent_leads_nowhere(shop, event: Event) -> None:
    odd = replace(event("tea"), traceparent="+6281234567890")
    await shop.deliver(odd, to=answering(shop))
    assert await traces_of_outbox(shop) == {"ANI": ""}
