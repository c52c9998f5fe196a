"""Authorize, Void and GetHold at the till."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from credit.app import build
from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from kit.testing.running import running
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc, holds_pb2, holds_pb2_grpc
from langganan.events.v1 import customers_pb2
from langganan.types.v1 import origin_pb2

TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)


def ask(customer, units, hold_id=None, **fields):
    return holds_pb2.AuthorizeRequest(
        hold_id=hold_id or new_uuid(),
        customer_id=customer,
        amount=Money(currency_code="IDR", units=units),
        **({"origin": TILL} | fields),
    )


async def test_an_approved_hold_keeps_its_amount_aside_for_15_minutes(credit):
    customer = await credit.open(limit=100_000)
    reply = await credit.holds.Authorize(ask(customer, 60_000))
    assert reply.hold.state == holds_pb2.HOLD_STATE_PENDING
    assert reply.available.units == 40_000
    kept = reply.hold.expires_at.ToDatetime() - reply.hold.decided_at.ToDatetime()
    assert kept == timedelta(minutes=15)
    account = await credit.account(customer)
    assert (account.held.units, account.available.units) == (60_000, 40_000)


async def test_the_whole_limit_can_be_used_and_not_one_rupiah_more(credit):
    customer = await credit.open(limit=100_000)
    assert (await credit.authorize(customer, 100_001)).state == holds_pb2.HOLD_STATE_DECLINED
    assert (await credit.authorize(customer, 100_000)).state == holds_pb2.HOLD_STATE_PENDING
    assert (await credit.authorize(customer, 1)).state == holds_pb2.HOLD_STATE_DECLINED


@pytest.mark.parametrize(
    ("language", "words"), [("id", "Sisa limit kredit Rp100.000"), ("en", "Rp100,000 of credit is left")]
)
async def test_a_decline_says_what_is_left_in_the_cashiers_language(credit, language, words):
    customer = await credit.open(limit=100_000)
    holds = credit.stub(holds_pb2_grpc.HoldServiceStub, language=language)
    hold = (await holds.Authorize(ask(customer, 250_000))).hold
    assert hold.decline.reason == holds_pb2.DECLINE_REASON_OVER_LIMIT
    assert hold.decline.available.units == 100_000
    assert words in hold.decline.say


async def test_a_decline_is_final_for_its_id_even_when_credit_is_free_again(credit):
    customer = await credit.open(limit=100_000)
    big = await credit.authorize(customer, 100_000)
    declined = await credit.authorize(customer, 50_000)
    await credit.void(customer, big.hold_id)
    again = await credit.authorize(customer, 50_000, declined.hold_id)
    assert again == declined
    assert (await credit.authorize(customer, 50_000)).state == holds_pb2.HOLD_STATE_PENDING


async def test_a_customer_without_an_account_is_declined_and_that_is_remembered(credit, refused):
    customer = new_customer_id()
    hold = await credit.authorize(customer, 5_000)
    assert hold.decline.reason == holds_pb2.DECLINE_REASON_NO_ACCOUNT
    assert "rekening kredit" in hold.decline.say
    request = accounts_pb2.GetAccountRequest(customer_id=customer)
    assert await refused(credit.accounts.GetAccount(request)) == "ACCOUNT_NOT_FOUND"
    await credit.accounts.OpenAccount(credit.opening(customer))
    assert (await credit.authorize(customer, 5_000, hold.hold_id)).state == holds_pb2.HOLD_STATE_DECLINED


async def test_an_erased_customer_is_declined(credit):
    customer = await credit.open()
    erased = customers_pb2.CustomerErased(merchant_id=credit.merchant, customer_id=customer)
    await credit.deliver(
        Outgoing("customer-erased", credit.merchant, customer, erased, credit.run.clock.now())
    )
    hold = await credit.authorize(customer, 5_000)
    assert hold.decline.reason == holds_pb2.DECLINE_REASON_CUSTOMER_ERASED
    await credit.deliver(credit.sale(customer, (4_000, None)))
    await credit.pay(customer, 4_000)
    account = await credit.account(customer)
    assert account.customer_erased
    assert account.available.units == 0


async def test_a_retried_hold_is_authorised_once(credit):
    customer = await credit.open(limit=100_000)
    request = ask(customer, 40_000)
    replies = await asyncio.gather(*(credit.holds.Authorize(request) for _ in range(16)))
    assert len({r.hold.SerializeToString(deterministic=True) for r in replies}) == 1
    assert (await credit.account(customer)).held.units == 40_000
    await credit.check_books(customer)


async def test_a_till_that_lost_its_answer_repeats_and_gets_it(credit):
    customer = await credit.open(limit=100_000)
    requests = [ask(customer, 10_000) for _ in range(8)]
    for number, request in enumerate(requests):
        call = credit.holds.Authorize(request)
        await asyncio.wait([asyncio.ensure_future(call.code())], timeout=number / 1_000)
        call.cancel()  # the till dies before, while and after it is done
    replies = [await credit.holds.Authorize(request) for request in requests]
    assert {r.hold.state for r in replies} == {holds_pb2.HOLD_STATE_PENDING}
    assert (await credit.account(customer)).held.units == 80_000
    await credit.check_books(customer)


async def test_one_id_with_16_amounts_holds_one_of_them(credit):
    customer = await credit.open(limit=10_000_000)
    hold_id = new_uuid()
    calls = [credit.holds.Authorize(ask(customer, 1_000 + n, hold_id)) for n in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    approved = [r for r in replies if isinstance(r, holds_pb2.AuthorizeResponse)]
    assert len(approved) == 1
    assert (await credit.account(customer)).held.units == approved[0].hold.amount.units


async def test_one_id_for_16_customers_holds_for_one_of_them(credit, refused):
    customers = [await credit.open() for _ in range(16)]
    hold_id = new_uuid()
    replies = await asyncio.gather(
        *(credit.holds.Authorize(ask(c, 1_000, hold_id)) for c in customers), return_exceptions=True
    )
    winners = [c for c, r in zip(customers, replies, strict=True) if not isinstance(r, BaseException)]
    assert len(winners) == 1
    loser = next(c for c in customers if c not in winners)
    assert await refused(credit.holds.Authorize(ask(loser, 1_000, hold_id))) == "IDEMPOTENCY_CONFLICT"
    assert await refused(credit.void(loser, hold_id)) == "HOLD_NOT_FOUND"
    assert sum([(await credit.account(c)).held.units for c in customers]) == 1_000
    for customer in customers:
        await credit.check_books(customer)


async def test_another_lifetime_under_the_same_id_is_another_wish(credit, refused):
    customer = await credit.open()
    hold_id = new_uuid()
    await credit.holds.Authorize(ask(customer, 1_000, hold_id, ttl=Duration(seconds=60)))
    for other in ({}, {"ttl": Duration(seconds=900)}):
        call = credit.holds.Authorize(ask(customer, 1_000, hold_id, **other))
        assert await refused(call) == "IDEMPOTENCY_CONFLICT"


async def test_a_retry_after_the_usual_lifetime_was_changed_is_the_same_wish(credit, credit_settings, keys):
    customer = await credit.open()
    request = ask(customer, 1_000)
    first = await credit.holds.Authorize(request)
    changed = credit_settings.model_copy(update={"hold_ttl_s": 60})
    async with running("credit", build, changed, keys, credit.run.clock) as restarted:
        holds = restarted.stub(holds_pb2_grpc.HoldServiceStub, merchant=credit.merchant)
        assert await holds.Authorize(request) == first


async def test_64_authorisations_at_once_never_pass_the_limit(credit):
    customer = await credit.open(limit=100_000)
    holds = await asyncio.gather(*(credit.authorize(customer, 7_000) for _ in range(64)))
    approved = [h for h in holds if h.state == holds_pb2.HOLD_STATE_PENDING]
    assert len(approved) == 100_000 // 7_000
    account = await credit.account(customer)
    assert (account.held.units, account.available.units) == (98_000, 2_000)
    await credit.check_books(customer)


async def test_64_authorisations_through_four_batchers_never_pass_the_limit(credit, other_processes):
    customer = await credit.open(limit=100_000)
    stubs = [credit.holds, *other_processes(credit.merchant)]
    calls = [stubs[n % len(stubs)].Authorize(ask(customer, 7_000)) for n in range(64)]
    replies = await asyncio.gather(*calls)
    approved = [r for r in replies if r.hold.state == holds_pb2.HOLD_STATE_PENDING]
    assert len(approved) == 100_000 // 7_000
    await credit.check_books(customer)


async def test_a_locked_account_delays_only_itself(credit):
    locked, free = await credit.open(), await credit.open()
    async with credit.run.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(
            "SELECT 1 FROM accounts WHERE merchant_id = $1 AND customer_id = $2 FOR NO KEY UPDATE",
            credit.merchant,
            locked,
        )
        waiting = [asyncio.create_task(credit.authorize(locked, 1_000)) for _ in range(3)]
        async with asyncio.timeout(4):
            holds = await asyncio.gather(*(credit.authorize(free, 1_000) for _ in range(10)))
        assert all(h.state == holds_pb2.HOLD_STATE_PENDING for h in holds)
        assert not any(task.done() for task in waiting)
        await transaction.commit()
    assert [h.state for h in await asyncio.gather(*waiting)] == [holds_pb2.HOLD_STATE_PENDING] * 3
    assert (await credit.account(locked)).held.units == 3_000


async def test_a_dry_run_tells_and_keeps_nothing(credit):
    customer = await credit.open(limit=10_000)
    reply = await credit.holds.Authorize(ask(customer, 10_000, dry_run=True))
    assert reply.hold.state == holds_pb2.HOLD_STATE_PENDING
    reply = await credit.holds.Authorize(ask(customer, 10_001, dry_run=True))
    assert reply.hold.decline.reason == holds_pb2.DECLINE_REASON_OVER_LIMIT
    stranger = await credit.holds.Authorize(ask(new_customer_id(), 1, dry_run=True))
    assert stranger.hold.decline.reason == holds_pb2.DECLINE_REASON_NO_ACCOUNT
    assert (
        await credit.run.pool.fetchval("SELECT count(*) FROM holds WHERE merchant_id = $1", credit.merchant)
        == 0
    )
    assert (await credit.account(customer)).held.units == 0
    rows = await credit.run.pool.fetchval(
        "SELECT count(*) FROM accounts WHERE merchant_id = $1", credit.merchant
    )
    assert rows == 1


async def test_a_void_that_overtakes_its_authorize_leaves_nothing_held(credit):
    customer = await credit.open()
    hold_id = new_uuid()
    assert (await credit.void(customer, hold_id)).state == holds_pb2.HOLD_STATE_VOIDED
    late = await credit.authorize(customer, 9_000, hold_id)
    assert late.state == holds_pb2.HOLD_STATE_VOIDED
    assert (await credit.account(customer)).held.units == 0


async def test_authorize_and_void_at_once_never_leave_credit_held(credit):
    customer = await credit.open()
    ids = [new_uuid() for _ in range(16)]
    await asyncio.gather(
        *(c for i in ids for c in (credit.authorize(customer, 1_000, i), credit.void(customer, i)))
    )
    assert {(await credit.hold(customer, i)).state for i in ids} == {holds_pb2.HOLD_STATE_VOIDED}
    assert (await credit.account(customer)).held.units == 0
    await credit.check_books(customer)


async def test_16_voids_release_once(credit):
    customer = await credit.open()
    keep = await credit.authorize(customer, 5_000)
    hold = await credit.authorize(customer, 3_000)
    voided = await asyncio.gather(*(credit.void(customer, hold.hold_id) for _ in range(16)))
    assert {v.state for v in voided} == {holds_pb2.HOLD_STATE_VOIDED}
    assert (await credit.account(customer)).held.units == keep.amount.units
    assert (await credit.authorize(customer, 3_000, hold.hold_id)).state == holds_pb2.HOLD_STATE_VOIDED


async def test_a_declined_hold_stays_declined_when_it_is_voided(credit):
    customer = await credit.open(limit=1_000)
    declined = await credit.authorize(customer, 2_000)
    assert await credit.void(customer, declined.hold_id) == declined
    assert await credit.hold(customer, declined.hold_id) == declined


def said(register):
    origin = origin_pb2.Origin(
        store_id="s7", register_id=register, staff_ref="staff-9", mode=origin_pb2.MODE_OFFLINE
    )
    origin.sent_at.GetCurrentTime()
    return origin


@pytest.mark.parametrize("end", ["Capture", "Void"])
async def test_a_hold_keeps_all_that_the_tills_said_of_themselves(credit, end):
    customer = await credit.open()
    first, last, later = said("r1"), said("r2"), said("r3")
    request = ask(customer, 1_000, origin=first)
    await credit.holds.Authorize(request)
    message = holds_pb2.CaptureRequest if end == "Capture" else holds_pb2.VoidRequest
    for origin in (last, later):
        closing = message(hold_id=request.hold_id, customer_id=customer, origin=origin)
        await getattr(credit.holds, end)(closing)
    row = await credit.run.pool.fetchrow(
        "SELECT origin, closed_origin FROM holds WHERE hold_id = $1", request.hold_id
    )
    assert origin_pb2.Origin.FromString(row["origin"]) == first
    assert origin_pb2.Origin.FromString(row["closed_origin"]) == last


async def test_no_call_of_a_till_passes_without_its_origin(credit, refused):
    customer = await credit.open()
    hold = await credit.authorize(customer, 1_000)
    named = {"hold_id": hold.hold_id, "customer_id": customer}
    assert await refused(credit.holds.Capture(holds_pb2.CaptureRequest(**named))) == "INVALID_FIELDS"
    assert await refused(credit.holds.Void(holds_pb2.VoidRequest(**named))) == "INVALID_FIELDS"
    assert await credit.hold(customer, hold.hold_id) == hold


async def test_another_merchant_sees_none_of_it(credit, refused):
    customer = await credit.open()
    hold = await credit.authorize(customer, 1_000)
    strange = credit.run.stub(holds_pb2_grpc.HoldServiceStub, merchant="somebody-else")
    request = holds_pb2.GetHoldRequest(hold_id=hold.hold_id, customer_id=customer)
    assert await refused(strange.GetHold(request)) == "HOLD_NOT_FOUND"
    capture = holds_pb2.CaptureRequest(hold_id=hold.hold_id, customer_id=customer, origin=TILL)
    assert await refused(strange.Capture(capture)) == "HOLD_NOT_FOUND"
    theirs = await strange.Authorize(ask(customer, 1_000, hold.hold_id))
    assert theirs.hold.decline.reason == holds_pb2.DECLINE_REASON_NO_ACCOUNT
    accounts = credit.run.stub(accounts_pb2_grpc.AccountServiceStub, merchant="somebody-else")
    account = accounts_pb2.GetAccountRequest(customer_id=customer)
    assert await refused(accounts.GetAccount(account)) == "ACCOUNT_NOT_FOUND"


async def test_a_caller_without_the_scope_is_refused(credit, refused):
    holds = credit.stub(holds_pb2_grpc.HoldServiceStub, scopes="credit.holds.read")
    assert await refused(holds.Authorize(ask(new_customer_id(), 1))) == "MISSING_SCOPE"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hold_id": "B7C1A7E2-5C1D-4F6E-9A2B-3C4D5E6F7A8B"}, "INVALID_ID"),
        ({"hold_id": "not-a-uuid"}, "INVALID_FIELDS"),
        ({"customer_id": "short"}, "INVALID_FIELDS"),
        ({"customer_id": "0000000000001"}, "INVALID_CUSTOMER_ID"),
        ({"amount": Money(currency_code="IDR", units=0)}, "INVALID_MONEY"),
        ({"amount": Money(currency_code="IDR", units=-5)}, "INVALID_MONEY"),
        ({"amount": Money(currency_code="IDR", units=5, nanos=500_000_000)}, "INVALID_MONEY"),
        ({"amount": Money(currency_code="USD", units=5)}, "INVALID_MONEY"),
        ({"amount": Money(currency_code="IDR", units=10**18)}, "INVALID_MONEY"),
        ({"amount": None}, "INVALID_FIELDS"),
        ({"ttl": Duration(seconds=86_401)}, "INVALID_FIELDS"),
        ({"ttl": Duration(seconds=0)}, "INVALID_FIELDS"),
        ({"recognised_by": 99}, "INVALID_FIELDS"),
        ({"origin": None}, "INVALID_FIELDS"),
        ({"origin": origin_pb2.Origin()}, "INVALID_FIELDS"),
    ],
)
async def test_bad_input_is_refused_with_its_reason_and_nothing_is_written(credit, refused, fields, reason):
    customer = await credit.open()
    good = {
        "hold_id": new_uuid(),
        "customer_id": customer,
        "amount": Money(currency_code="IDR", units=5),
        "origin": TILL,
    }
    assert await refused(credit.holds.Authorize(holds_pb2.AuthorizeRequest(**(good | fields)))) == reason
    assert (
        await credit.run.pool.fetchval("SELECT count(*) FROM holds WHERE merchant_id = $1", credit.merchant)
        == 0
    )
