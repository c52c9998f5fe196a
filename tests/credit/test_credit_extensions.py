"""Holds are kept for longer, and a second resolution names the state that it found."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from credit.holds.model import Hold, State, extend
from kit.ids import new_uuid
from langganan.credit.v1 import holds_pb2
from tests.credit.conftest import NOON, TILL
from tests.credit.test_credit_expiry import pass_by


def longer(hold, seconds, **fields):
    fields = {"hold_id": hold.hold_id, "customer_id": hold.customer_id} | fields
    return holds_pb2.ExtendHoldRequest(ttl=Duration(seconds=seconds), origin=TILL, **fields)


async def extended(credit, hold, seconds):
    return (await credit.holds.ExtendHold(longer(hold, seconds))).hold


def lives(hold):
    """How many seconds a hold is kept from its decision on."""
    return (hold.expires_at.ToDatetime() - hold.decided_at.ToDatetime()).total_seconds()


async def test_a_hold_is_kept_for_longer_and_never_for_less(credit):
    customer = await credit.open()
    hold = await credit.authorize(customer, 10_000)
    assert lives(hold) == 900
    replies = await asyncio.gather(*(extended(credit, hold, 3_600) for _ in range(16)))
    assert [lives(each) for each in replies] == [3_600] * 16
    assert lives(await extended(credit, hold, 60)) == 3_600
    assert lives(await credit.hold(customer, hold.hold_id)) == 3_600
    again = await credit.authorize(customer, 10_000, hold.hold_id)
    assert (again.state, lives(again)) == (holds_pb2.HOLD_STATE_PENDING, 3_600)
    assert (await credit.account(customer)).held.units == 10_000
    await credit.check_books(customer)


async def test_no_hold_is_kept_for_more_than_a_day_and_only_ones_own(credit, refused):
    hold = await credit.authorize(await credit.open(), 10_000)
    assert await refused(credit.holds.ExtendHold(longer(hold, 86_401))) == "INVALID_FIELDS"
    assert await refused(credit.holds.ExtendHold(longer(hold, 0))) == "INVALID_FIELDS"
    other = longer(hold, 60, customer_id=await credit.open())
    assert await refused(credit.holds.ExtendHold(other)) == "HOLD_NOT_FOUND"
    unknown = longer(hold, 60, hold_id=new_uuid())
    assert await refused(credit.holds.ExtendHold(unknown)) == "HOLD_NOT_FOUND"


async def test_the_sweep_leaves_a_hold_that_was_extended_until_its_new_end(alone):
    credit = await alone()
    customer = await credit.open()
    hold = await credit.authorize(customer, 10_000)
    await extended(credit, hold, 3_600)
    for minutes, state in ((30, holds_pb2.HOLD_STATE_PENDING), (60, holds_pb2.HOLD_STATE_EXPIRED)):
        await pass_by(credit, NOON + timedelta(minutes=minutes) - credit.run.clock.now())
        assert (await credit.hold(customer, hold.hold_id)).state == state


async def test_a_second_resolution_names_the_state_that_it_found(alone, refused):
    credit = await alone()
    customer = await credit.open()
    captured, voided, expired = [await credit.authorize(customer, 1_000) for _ in range(3)]
    declined = await credit.authorize(customer, 9_000_000)
    await credit.capture(captured)
    await credit.void(customer, voided.hold_id)
    await pass_by(credit, timedelta(hours=1))
    for hold, reason in (
        (captured, "ALREADY_CAPTURED"),
        (voided, "ALREADY_VOIDED"),
        (expired, "ALREADY_EXPIRED"),
        (declined, "HOLD_NOT_PENDING"),
    ):
        assert await refused(credit.holds.ExtendHold(longer(hold, 60))) == reason
    assert await refused(credit.capture(voided)) == "ALREADY_VOIDED"
    assert await refused(credit.capture(expired)) == "ALREADY_EXPIRED"
    assert await refused(credit.void(customer, captured.hold_id)) == "ALREADY_CAPTURED"
    # The same request again answers the same.
    assert (await credit.capture(captured)).state == holds_pb2.HOLD_STATE_CAPTURED
    assert (await credit.void(customer, voided.hold_id)).state == holds_pb2.HOLD_STATE_VOIDED


@given(st.integers(1, 86_400), st.lists(st.integers(1, 86_400), max_size=5))
def test_extensions_in_any_order_end_at_the_longest(first, more):
    hold = Hold("toko", "h", "customer", State.PENDING, 1, NOON, NOON + timedelta(seconds=first))
    for seconds in more:
        hold = extend(hold, timedelta(seconds=seconds))
    assert hold.expires_at == NOON + timedelta(seconds=max([first, *more]))
