"""What a running stack says of itself: one trace from the till's call to the message, and logs of JSON lines.

One stack for all tests of this file, in order; the last one takes the collector away.
"""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import pytest

from kit.testing import eventually
from local.demo.gateway import Gateway
from local.services import SERVICES
from local.stack import Stack
from tests.system.collector import Collector, collecting
from tests.system.conftest import OPENING, settings_of_its_own
from tests.system.trade import Trade

RECORD = "customers: PurchaseService/RecordPurchase"
HEARD = "process purchase-completed"


@dataclass
class Watched:
    """A stack whose spans come here, and a shop in it."""

    stack: Stack
    collector: Collector
    collecting: AsyncExitStack
    trade: Trade
    customer_id: str

    async def sell(self) -> tuple[str, str, str]:
        """Sell something as a gateway that traces; return (trace id, span id, request id) of the till."""
        trace_id, span_id, request_id = secrets.token_hex(16), secrets.token_hex(8), secrets.token_hex(16)
        said = (("traceparent", f"00-{trace_id}-{span_id}-01"), ("x-request-id", request_id))
        till = Gateway(self.stack.grpc, self.stack.token(), also=said)
        trade = Trade(self.stack, till)
        try:
            await trade.sell(self.customer_id, cash=50_000)
        finally:
            await till.close()
        return trace_id, span_id, request_id


@pytest.fixture(scope="module")
async def watched() -> AsyncIterator[Watched]:
    collector_stays = AsyncExitStack()
    collector = await collector_stays.enter_async_context(collecting())
    overrides = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    for name in SERVICES:
        overrides |= {f"{name.upper()}_OTLP_ENDPOINT": collector.endpoint, f"{name.upper()}_LOG_CALLS": "all"}
    with settings_of_its_own() as settings:
        async with collector_stays, Stack(settings, start=OPENING, overrides=overrides) as stack:
            till = Gateway(stack.grpc, stack.token())
            trade = Trade(stack, till)
            await trade.open()
            customer_id = await trade.register()
            yield Watched(stack, collector, collector_stays, trade, customer_id)
            await till.close()


async def test_one_trace_goes_from_the_tills_call_to_the_message_sent(watched: Watched) -> None:
    trace_id, span_id, request_id = await watched.sell()
    wanted = {
        RECORD: span_id,
        f"loyalty: {HEARD}": RECORD,
        f"credit: {HEARD}": RECORD,
        f"notify: {HEARD}": RECORD,
        "notify: ContactService/GetContacts": f"notify: {HEARD}",
        "customers: ContactService/GetContacts": "notify: ContactService/GetContacts",
        "notify: send email": f"notify: {HEARD}",
    }

    def parents() -> dict[str, str]:
        spans = watched.collector.of(trace_id)
        names = {span.id: what for what, span in spans.items()}
        return {what: names.get(span.parent, span.parent) for what, span in spans.items()}

    with suppress(AssertionError):  # what is missing is said below
        await eventually(lambda: wanted.items() <= parents().items(), within=30)
    assert {what: parents().get(what) for what in wanted} == wanted
    assert not any(span.failed for span in watched.collector.of(trace_id).values())
    # The sampler keeps what the till keeps, and nothing else.
    assert {span.trace for span in watched.collector.spans} == {trace_id}
    log = watched.stack.home / "logs" / "customers.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert line.items() >= {"event": "call", "code": "OK", "merchant": "toko", "trace_id": trace_id}.items()
    assert line["method"] == "langganan.customers.v1.PurchaseService/RecordPurchase"
    assert line["ms"] > 0


async def test_a_service_that_makes_no_spans_cuts_no_trace(watched: Watched) -> None:
    watched.stack._overrides["CUSTOMERS_OTLP_ENDPOINT"] = ""
    await watched.stack.restart("customers")
    trace_id, span_id, _ = await watched.sell()
    heard = {f"{name}: {HEARD}" for name in ("loyalty", "credit", "notify")}
    await eventually(lambda: heard <= watched.collector.of(trace_id).keys(), within=30)
    spans = watched.collector.of(trace_id)
    assert {spans[what].parent for what in heard} == {span_id}
    assert RECORD not in spans


async def test_a_collector_that_is_away_delays_no_call_no_event_and_no_end(watched: Watched) -> None:
    await watched.collecting.aclose()
    await watched.stack.settled()
    before = len(watched.trade.mails(watched.customer_id))
    began = time.monotonic()
    for _ in range(3):
        await watched.sell()
    await watched.stack.settled()
    # Each of them has some ten spans, and each span that were waited for would take 5 s.
    assert time.monotonic() - began < 60
    assert len(watched.trade.mails(watched.customer_id)) == before + 3
    log = watched.stack.home / "logs" / "credit.log"
    await eventually(lambda: "Failed to export" in log.read_text(), within=30)
    began = time.monotonic()
    assert await asyncio.to_thread(watched.stack.parts.pop("credit").stop) == 0
    assert time.monotonic() - began < 20


async def test_every_line_of_every_log_of_a_service_is_json(watched: Watched) -> None:
    for name in SERVICES:
        text = (watched.stack.home / "logs" / f"{name}.log").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert "started" in {line["event"] for line in lines}
        assert all({"event", "level", "timestamp", "service"} <= line.keys() for line in lines)


def test_opentelemetry_is_not_even_loaded_where_no_endpoint_is_set() -> None:
    apps = ", ".join(f"{name}.app" for name in SERVICES)
    code = f"import sys, kit.main, {apps}; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
