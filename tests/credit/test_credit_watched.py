"""What an operator is shown of credit: reminders that are late, and what staff still have to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from kit.ids import new_uuid
from kit.sweep import Sweeper
from langganan.credit.v1 import invoices_pb2

SOLD = datetime(2026, 5, 1, 3, tzinfo=UTC)
NINE_OF_THE_DAY_IT_IS_DUE = datetime(2026, 5, 11, 2, tzinfo=UTC)


async def look(credit, name):
    (found,) = [s for s in credit.run.service.sweeps if s.name == name]
    return await Sweeper(found, credit.run.pool, credit.run.clock).look()


def late():
    return REGISTRY.get_sample_value("langganan_credit_notices_late_seconds")


async def test_a_reminder_that_cannot_be_given_is_late_since_the_hour_and_others_are_not_late(alone):
    credit = await alone(SOLD)
    broken, well = await credit.open(net_days=10), await credit.open(net_days=10)
    await credit.deliver(*(credit.sale(who, (50_000, None), at=SOLD) for who in (broken, well)))
    await credit.run.pool.execute(
        f"ALTER TABLE notices ADD CONSTRAINT broken CHECK (customer_id <> '{broken}')"
    )
    credit.run.clock.advance(NINE_OF_THE_DAY_IT_IS_DUE + timedelta(hours=3) - SOLD)
    assert await look(credit, "notices") == 1
    assert late() == 3 * 3_600
    credit.run.clock.advance(timedelta(hours=1))
    assert await look(credit, "notices") == 0
    assert late() == 4 * 3_600
    await credit.run.pool.execute("ALTER TABLE notices DROP CONSTRAINT broken")
    assert await look(credit, "notices") == 1
    assert late() == 0


async def test_open_exceptions_are_counted_until_they_are_resolved(alone):
    credit = await alone(SOLD)
    customer = await credit.open()
    await credit.deliver(credit.sale(customer, (1_000, None), at=SOLD))

    def unauthorised():
        name = "langganan_credit_exceptions_open"
        assert REGISTRY.get_sample_value(name, {"kind": "LATE"}) == 0
        return REGISTRY.get_sample_value(name, {"kind": "UNAUTHORISED"})

    await look(credit, "exceptions")
    assert unauthorised() == 1
    (marked,) = await credit.exceptions_of(customer)
    await credit.invoices.ResolveException(
        invoices_pb2.ResolveExceptionRequest(
            request_id=new_uuid(), exception_id=marked.exception_id, customer_id=customer, note="seen"
        )
    )
    await look(credit, "exceptions")
    assert unauthorised() == 0


async def test_a_sale_whose_poll_is_done_again_because_of_another_is_counted_once(alone):
    credit = await alone(SOLD)
    bad, good = await credit.open(), await credit.open()
    await credit.run.pool.execute(
        f"ALTER TABLE invoices ADD CONSTRAINT broken CHECK (customer_id <> '{bad}')"
    )
    before = REGISTRY.get_sample_value("langganan_credit_invoices_total")
    await credit.deliver(*(credit.sale(who, (3_000, None), at=SOLD) for who in (good, bad)))
    assert len(await credit.invoices_of(good)) == 1
    assert len(await credit.parked(bad)) == 1
    assert REGISTRY.get_sample_value("langganan_credit_invoices_total") == before + 1
