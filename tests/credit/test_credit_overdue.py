"""Authorize declines what is overdue too long, by the local date of now, and a payment lifts it at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.type.money_pb2 import Money

from kit.ids import new_uuid
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from langganan.types.v1 import origin_pb2

TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)
SOLD = datetime(2026, 5, 1, 3, tzinfo=UTC)  # 10:00 in Jakarta
# Due on 11 May; 14 days later it still buys, and blocks from midnight of the 26th on, in Jakarta.
LAST_MOMENT = datetime(2026, 5, 25, 16, 59, 59, tzinfo=UTC)
MIDNIGHT = LAST_MOMENT + timedelta(seconds=1)


async def owing(credit, amount=50_000, *, net_days=10, zone="Asia/Jakarta"):
    customer = await credit.open(net_days=net_days, zone=zone)
    await credit.deliver(credit.sale(customer, (amount, None), at=SOLD))
    return customer


def move(credit, at):
    credit.run.clock.advance(at - credit.run.clock.now())


def ask(customer, amount=1_000, **fields):
    return holds_pb2.AuthorizeRequest(
        hold_id=new_uuid(),
        customer_id=customer,
        amount=Money(currency_code="IDR", units=amount),
        origin=TILL,
        **fields,
    )


async def outcome(credit, customer, **fields):
    """APPROVED, or the reason of the decline."""
    hold = (await credit.holds.Authorize(ask(customer, **fields))).hold
    if hold.state == holds_pb2.HOLD_STATE_PENDING:
        return "APPROVED"
    return holds_pb2.DeclineReason.Name(hold.decline.reason).removeprefix("DECLINE_REASON_")


async def test_midnight_in_the_accounts_zone_decides(alone):
    credit = await alone(SOLD)
    # Sold on 1 May in Kiritimati (UTC+14) and Jakarta, on 30 April in Pago Pago (UTC-11).
    zones = ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Jakarta")
    customers = [await owing(credit, zone=zone) for zone in zones]
    second = timedelta(seconds=1)
    east = datetime(2026, 5, 25, 10, tzinfo=UTC)  # the 26th begins, 15 days after the 11th
    west = datetime(2026, 5, 25, 11, tzinfo=UTC)  # the 25th begins, 15 days after the 10th
    for at, blocked in [
        (east - second, []),
        (east, [0]),
        (west - second, [0]),
        (west, [0, 1]),
        (LAST_MOMENT, [0, 1]),
        (MIDNIGHT, [0, 1, 2]),
    ]:
        move(credit, at)
        outcomes = [await outcome(credit, customer) for customer in customers]
        assert [n for n, found in enumerate(outcomes) if found == "OVERDUE"] == blocked, at
        assert set(outcomes) <= {"OVERDUE", "APPROVED"}


async def test_paying_the_oldest_lifts_it_in_the_same_moment(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    await credit.deliver(credit.sale(customer, (20_000, None), at=SOLD + timedelta(days=1)))
    move(credit, MIDNIGHT)
    assert await outcome(credit, customer) == "OVERDUE"
    await credit.pay(customer, 49_999)
    assert await outcome(credit, customer) == "OVERDUE"
    await credit.pay(customer, 1)
    assert await outcome(credit, customer) == "APPROVED"  # the other is overdue too, but not for so long
    move(credit, MIDNIGHT + timedelta(days=1))
    assert await outcome(credit, customer) == "OVERDUE"


async def test_a_return_lifts_it_as_well(alone):
    credit = await alone(SOLD)
    customer = await credit.open(net_days=10)
    sale = credit.sale(customer, (50_000, None), at=SOLD)
    await credit.deliver(sale)
    move(credit, MIDNIGHT)
    assert await outcome(credit, customer) == "OVERDUE"
    await credit.deliver(credit.returned(sale, 50_000, at=MIDNIGHT))
    assert await outcome(credit, customer) == "APPROVED"


async def test_the_account_says_what_is_overdue_and_that_it_is_blocked(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    seen = []
    for at in (datetime(2026, 5, 11, 3, tzinfo=UTC), LAST_MOMENT, MIDNIGHT):
        move(credit, at)
        account = await credit.account(customer)
        seen.append((account.overdue.units, account.blocked))
    assert seen == [(0, False), (50_000, False), (50_000, True)]
    await credit.pay(customer, 50_000)
    account = await credit.account(customer)
    assert (account.overdue.units, account.blocked) == (0, False)


@pytest.mark.parametrize(("language", "words"), [("id", "lewat jatuh tempo"), ("en", "long overdue")])
async def test_the_cashier_is_told_what_to_say(alone, language, words):
    credit = await alone(SOLD)
    customer = await owing(credit)
    move(credit, MIDNIGHT)
    holds = credit.stub(holds_pb2_grpc.HoldServiceStub, language=language)
    for dry_run in (True, False):
        hold = (await holds.Authorize(ask(customer, dry_run=dry_run))).hold
        assert (hold.state, hold.decline.reason) == (
            holds_pb2.HOLD_STATE_DECLINED,
            holds_pb2.DECLINE_REASON_OVERDUE,
        )
        assert words in hold.decline.say
    assert await credit.count("holds") == 1  # the dry run is not remembered
    assert (await credit.account(customer)).held.units == 0


async def test_a_decline_is_final_for_its_id_even_when_the_invoice_is_paid(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    move(credit, MIDNIGHT)
    request = ask(customer)
    declined = await credit.holds.Authorize(request)
    await credit.pay(customer, 50_000)
    again = await credit.holds.Authorize(request)
    assert again.hold == declined.hold
    assert await outcome(credit, customer) == "APPROVED"


async def test_a_smaller_amount_does_not_help_and_a_sale_is_posted_all_the_same(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    move(credit, MIDNIGHT)
    assert await outcome(credit, customer) == "OVERDUE"
    huge = ask(customer, 900_000_000)
    assert (await credit.holds.Authorize(huge)).hold.decline.reason == holds_pb2.DECLINE_REASON_OVERDUE
    await credit.deliver(credit.sale(customer, (5_000, None), at=MIDNIGHT))
    assert (await credit.account(customer)).posted.units == 55_000
    await credit.check_books(customer)


async def test_a_hold_of_before_is_captured_though_the_account_is_blocked_since(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    move(credit, LAST_MOMENT)
    hold = await credit.authorize(customer, 7_000)
    move(credit, MIDNIGHT)
    await credit.deliver(credit.sale(customer, (7_000, hold.hold_id), at=MIDNIGHT))
    assert (await credit.hold(customer, hold.hold_id)).state == holds_pb2.HOLD_STATE_CAPTURED


async def test_64_at_once_are_declined_and_64_after_the_payment_stay_within_the_limit(alone):
    credit = await alone(SOLD)
    customer = await credit.open(limit=100_000, net_days=10)
    await credit.deliver(credit.sale(customer, (50_000, None), at=SOLD))
    move(credit, MIDNIGHT)
    outcomes = await asyncio.gather(*(outcome(credit, customer) for _ in range(64)))
    assert set(outcomes) == {"OVERDUE"}
    await credit.pay(customer, 50_000)
    outcomes = await asyncio.gather(*(outcome(credit, customer, amount=7_000) for _ in range(64)))
    assert outcomes.count("APPROVED") == 100_000 // 7_000
    assert set(outcomes) == {"APPROVED", "OVER_LIMIT"}
    await credit.check_books(customer)


async def test_authorisations_and_the_payment_at_once_are_each_decided_before_or_after_it(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    move(credit, MIDNIGHT)
    results = await asyncio.gather(
        *(outcome(credit, customer) for _ in range(32)),
        credit.pay(customer, 50_000),
        *(outcome(credit, customer) for _ in range(32)),
    )
    approved = [r for r in results if r == "APPROVED"]
    assert {r for r in results if isinstance(r, str)} <= {"APPROVED", "OVERDUE"}
    assert (await credit.account(customer)).held.units == 1_000 * len(approved)
    assert await outcome(credit, customer) == "APPROVED"
    await credit.check_books(customer)
