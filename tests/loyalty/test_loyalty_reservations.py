"""Quote, Reserve, Release and GetReservation at the till."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from langganan.events.v1 import customers_pb2
from langganan.loyalty.v1 import redemptions_pb2 as pb
from langganan.loyalty.v1 import redemptions_pb2_grpc
from langganan.types.v1 import origin_pb2

HELD, DECLINED = pb.RESERVATION_STATE_HELD, pb.RESERVATION_STATE_DECLINED
RELEASED, REDEEMED = pb.RESERVATION_STATE_RELEASED, pb.RESERVATION_STATE_REDEEMED


TILL = origin_pb2.Origin(store_id="s1")


def ask(customer, points, reservation_id=None, **fields):
    named = {"reservation_id": reservation_id or new_uuid(), "customer_id": customer, "origin": TILL}
    return pb.ReserveRequest(points=points, **named | fields)


async def with_points(loyalty, points):
    customer = await loyalty.customer()
    await loyalty.given(customer, points)
    return customer


async def test_a_quote_says_what_tier_and_points_are_worth_and_writes_nothing(loyalty, new_line):
    customer = await with_points(loyalty, 500)
    await loyalty.pin(customer, "VIP")
    lines = [new_line(3_999, line_id="1"), new_line(6_001, line_id="2")]
    quote = await loyalty.redemptions.Quote(pb.QuoteRequest(customer_id=customer, lines=lines))
    assert (quote.tier, quote.benefits.multiplier_basis_points) == ("VIP", 12_500)
    assert quote.discount.units == 500
    assert (quote.active_points, quote.usable_points, quote.usable_value.units) == (500, 500, 5_000)
    assert (quote.points_to_earn, quote.program_version) == (12, 1)
    using = pb.QuoteRequest(customer_id=customer, lines=lines, use_points=500)
    assert (await loyalty.redemptions.Quote(using)).points_to_earn == 6
    assert (await loyalty.account(customer)).active == 500


async def test_no_more_points_are_usable_than_the_basket_is_worth(loyalty, new_line):
    customer = await with_points(loyalty, 500)
    request = pb.QuoteRequest(customer_id=customer, lines=[new_line(999, line_id="1")])
    quote = await loyalty.redemptions.Quote(request)
    assert (quote.usable_points, quote.usable_value.units) == (99, 990)


async def test_an_unheard_of_customer_is_quoted_as_a_new_one(loyalty, new_line):
    request = pb.QuoteRequest(customer_id=new_customer_id(), lines=[new_line(9_000, line_id="1")])
    quote = await loyalty.redemptions.Quote(request)
    assert (quote.tier, quote.active_points, quote.points_to_earn) == ("New", 0, 9)
    assert await loyalty.count("accounts") == 0


async def test_a_merchant_without_a_program_is_quoted_zeros(bare, new_line):
    request = pb.QuoteRequest(customer_id=new_customer_id(), lines=[new_line(9_000, line_id="1")])
    quote = await bare.redemptions.Quote(request)
    assert quote == pb.QuoteResponse()


async def test_a_quote_in_another_currency_or_with_a_fraction_is_refused(loyalty, new_line, refused):
    customer = await loyalty.customer()
    for money in (Money(currency_code="USD", units=5), Money(currency_code="IDR", nanos=500_000_000)):
        line = new_line(1, line_id="1")
        line.net.CopyFrom(money)
        call = loyalty.redemptions.Quote(pb.QuoteRequest(customer_id=customer, lines=[line]))
        assert await refused(call) == "INVALID_MONEY"


async def test_a_reservation_holds_its_points_for_15_minutes_and_fixes_their_worth(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 60)
    assert (held.state, held.points, held.value.units) == (HELD, 60, 600)
    assert held.expires_at.ToDatetime() - held.created_at.ToDatetime() == timedelta(minutes=15)
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.reserved) == (100, 40, 60)
    longer = ask(customer, 40, hold_for=Duration(seconds=7200))
    reply = await loyalty.redemptions.Reserve(longer)
    kept = reply.reservation.expires_at.ToDatetime() - reply.reservation.created_at.ToDatetime()
    assert kept == timedelta(hours=2)
    await loyalty.explained(customer)


@pytest.mark.parametrize(("language", "words"), [("id", "poin Anda tidak cukup"), ("en", "not enough")])
async def test_a_decline_is_said_in_the_cashiers_language_and_is_final(loyalty, language, words):
    customer = await with_points(loyalty, 10)
    till = loyalty.stub(redemptions_pb2_grpc.RedemptionServiceStub, language=language)
    request = ask(customer, 11)
    declined = (await till.Reserve(request)).reservation
    assert (declined.state, declined.decline_reason) == (DECLINED, pb.DECLINE_REASON_INSUFFICIENT_POINTS)
    assert words in declined.say
    await loyalty.given(customer, 100)
    assert (await till.Reserve(request)).reservation == declined
    assert (await loyalty.account(customer)).reserved == 0


async def test_fewer_points_than_the_minimum_are_declined(loyalty):
    customer = await with_points(loyalty, 100)
    await loyalty.set_program(min_redeem_points=50)
    assert (await loyalty.reserve(customer, 49)).decline_reason == pb.DECLINE_REASON_BELOW_MINIMUM
    assert (await loyalty.reserve(customer, 50)).state == HELD


async def test_an_erased_customer_reserves_nothing(loyalty):
    customer = await with_points(loyalty, 100)
    now = loyalty.run.clock.now()
    payload = customers_pb2.CustomerErased(merchant_id=loyalty.merchant, customer_id=customer)
    payload.erased_at.FromDatetime(now)
    await loyalty.deliver(Outgoing("customer-erased", loyalty.merchant, customer, payload, now))
    assert (await loyalty.reserve(customer, 1)).decline_reason == pb.DECLINE_REASON_CUSTOMER_ERASED
    await loyalty.deliver(loyalty.sale(customer, [5_000]))
    assert (await loyalty.account(customer)).balance == 105


async def test_without_a_program_or_a_worth_nothing_is_reserved_or_remembered(bare, refused):
    customer = await bare.customer()
    assert await refused(bare.reserve(customer, 1)) == "PROGRAM_NOT_SET"
    await bare.set_program(point_value=None)
    assert await refused(bare.reserve(customer, 1)) == "POINTS_NOT_REDEEMABLE"
    assert await bare.count("reservations") == 0


async def test_a_retried_reservation_is_the_same_and_another_body_is_a_conflict(loyalty, refused):
    customer, other = await with_points(loyalty, 100), await with_points(loyalty, 100)
    first = await loyalty.reserve(customer, 60)
    assert await loyalty.reserve(customer, 60, first.reservation_id) == first
    assert await refused(loyalty.reserve(customer, 61, first.reservation_id)) == "IDEMPOTENCY_CONFLICT"
    assert await refused(loyalty.reserve(other, 60, first.reservation_id)) == "IDEMPOTENCY_CONFLICT"
    longer = ask(customer, 60, first.reservation_id, hold_for=Duration(seconds=60))
    assert await refused(loyalty.redemptions.Reserve(longer)) == "IDEMPOTENCY_CONFLICT"
    assert (await loyalty.account(customer)).reserved == 60
    assert (await loyalty.account(other)).reserved == 0


async def test_a_retry_after_our_default_lifetime_was_changed_is_still_the_same(loyalty, another_process):
    customer = await with_points(loyalty, 100)
    unsaid, said = ask(customer, 10), ask(customer, 10, hold_for=Duration(seconds=900))
    first = [(await loyalty.redemptions.Reserve(request)).reservation for request in (unsaid, said)]
    after = await another_process(reservation_s=60)
    assert [(await after.Reserve(request)).reservation for request in (unsaid, said)] == first
    fresh = (await after.Reserve(ask(customer, 10))).reservation
    assert fresh.expires_at.ToDatetime() - fresh.created_at.ToDatetime() == timedelta(minutes=1)


async def test_sixteen_times_the_same_reserve_at_once_holds_once(loyalty, other_processes):
    customer, reservation_id = await with_points(loyalty, 100), new_uuid()
    tills = [loyalty.redemptions, *other_processes]
    request = ask(customer, 60, reservation_id)
    replies = await asyncio.gather(*(tills[n % 4].Reserve(request) for n in range(16)))
    assert all(reply == replies[0] for reply in replies)
    assert (await loyalty.account(customer)).reserved == 60
    await loyalty.explained(customer)


async def test_one_id_for_many_customers_at_once_holds_for_one_of_them(loyalty, other_processes, refused):
    tills, customers = [loyalty.redemptions, *other_processes], []
    for _ in range(12):
        customers.append(await with_points(loyalty, 100))
    for _ in range(5):
        reservation_id = new_uuid()
        calls = [tills[n % 4].Reserve(ask(who, 7, reservation_id)) for n, who in enumerate(customers)]
        replies = await asyncio.gather(*(refused_or_held(refused, call) for call in calls))
        assert sorted(replies) == ["HELD"] + ["IDEMPOTENCY_CONFLICT"] * 11
    assert sum([(await loyalty.account(who)).reserved for who in customers]) == 35


async def refused_or_held(refused, call):
    try:
        return pb.ReservationState.Name((await call).reservation.state).removeprefix("RESERVATION_STATE_")
    except grpc.aio.AioRpcError as error:
        return await refused(failed(error))


async def failed(error):
    raise error


async def test_sixty_four_reservations_at_once_never_pass_the_points(loyalty, other_processes):
    customer = await with_points(loyalty, 100)
    tills = [loyalty.redemptions, *other_processes]
    replies = await asyncio.gather(*(tills[n % 4].Reserve(ask(customer, 7)) for n in range(64)))
    held = [reply for reply in replies if reply.reservation.state == HELD]
    assert len(held) == 14
    account = await loyalty.account(customer)
    assert (account.active, account.reserved) == (2, 98)
    await loyalty.explained(customer)


async def test_a_release_gives_the_points_back_once(loyalty, refused):
    customer, other = await with_points(loyalty, 100), await loyalty.customer()
    held = await loyalty.reserve(customer, 60)
    assert await refused(loyalty.release(other, held.reservation_id)) == "IDEMPOTENCY_CONFLICT"
    replies = await asyncio.gather(*(loyalty.release(customer, held.reservation_id) for _ in range(16)))
    assert {reply.state for reply in replies} == {RELEASED}
    account = await loyalty.account(customer)
    assert (account.active, account.reserved) == (100, 0)
    assert (await loyalty.reserve(customer, 60, held.reservation_id)).state == RELEASED


async def test_a_reservation_remembers_where_it_came_from_and_who_gave_it_back(loyalty, refused):
    customer = await with_points(loyalty, 100)
    till = origin_pb2.Origin(store_id="s1", register_id="r1", staff_ref="k7", mode=origin_pb2.MODE_ONLINE)
    till.sent_at.FromDatetime(loyalty.run.clock.now() - timedelta(seconds=2))
    request = ask(customer, 10, origin=till, recognised_by=origin_pb2.RECOGNISED_BY_CARD_SCAN)
    held = (await loyalty.redemptions.Reserve(request)).reservation
    assert (held.origin, held.recognised_by) == (till, origin_pb2.RECOGNISED_BY_CARD_SCAN)
    # A repeat is sent later, perhaps by another till: the same request, and the first one is history.
    request.origin.register_id = "r2"
    request.origin.sent_at.FromDatetime(loyalty.run.clock.now())
    assert (await loyalty.redemptions.Reserve(request)).reservation == held
    release = pb.ReleaseRequest(reservation_id=held.reservation_id, customer_id=customer)
    assert await refused(loyalty.redemptions.Release(release)) == "INVALID_FIELDS"
    for register in ("r3", "r4"):
        release.origin.CopyFrom(origin_pb2.Origin(store_id="s1", register_id=register))
        given_back = (await loyalty.redemptions.Release(release)).reservation
        assert (given_back.origin, given_back.release_origin.register_id) == (till, "r3")
    assert await loyalty.reservation(customer, held.reservation_id) == given_back


async def test_a_release_that_overtakes_its_reserve_is_remembered(loyalty, refused):
    customer, reservation_id = await with_points(loyalty, 100), new_uuid()
    assert (await loyalty.release(customer, reservation_id)).state == RELEASED
    late = await loyalty.reserve(customer, 60, reservation_id)
    assert (late.state, late.points) == (RELEASED, 60)
    assert late.origin.register_id == late.release_origin.register_id == "r1"
    assert await loyalty.reserve(customer, 60, reservation_id) == late
    assert await refused(loyalty.reserve(customer, 61, reservation_id)) == "IDEMPOTENCY_CONFLICT"
    assert (await loyalty.account(customer)).active == 100


async def test_a_release_and_its_reserve_at_once_never_keep_points_held(loyalty, other_processes):
    customer = await with_points(loyalty, 100)
    tills = [loyalty.redemptions, *other_processes]
    for n in range(20):
        reservation_id = new_uuid()
        await asyncio.gather(
            tills[n % 4].Reserve(ask(customer, 60, reservation_id)),
            tills[(n + 1) % 4].Release(
                pb.ReleaseRequest(reservation_id=reservation_id, customer_id=customer, origin=TILL)
            ),
        )
        assert (await loyalty.reservation(customer, reservation_id)).state == RELEASED
    assert (await loyalty.account(customer)).reserved == 0


async def test_a_locked_account_delays_only_itself(loyalty):
    slow, quick = await with_points(loyalty, 100), await with_points(loyalty, 100)
    async with loyalty.run.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(
            "select 1 from accounts where merchant_id = $1 and customer_id = $2 for no key update",
            loyalty.merchant,
            slow,
        )
        waiting = asyncio.create_task(loyalty.reserve(slow, 10))
        for _ in range(10):
            assert (await asyncio.wait_for(loyalty.reserve(quick, 1), 5)).state == HELD
        assert not waiting.done()
        await transaction.rollback()
    assert (await waiting).state == HELD


async def test_a_reservation_is_found_only_with_its_customer_and_merchant(loyalty, someone_else, refused):
    customer, other = await with_points(loyalty, 10), await loyalty.customer()
    held = await loyalty.reserve(customer, 5)
    assert await loyalty.reservation(customer, held.reservation_id) == held
    assert await refused(loyalty.reservation(other, held.reservation_id)) == "RESERVATION_NOT_FOUND"
    foreign = someone_else.reservation(customer, held.reservation_id)
    assert await refused(foreign) == "RESERVATION_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reservation_id": "x"}, "INVALID_FIELDS"),
        ({"reservation_id": "0B9E3A52-7C1D-4F6E-9A2B-3C4D5E6F7A8B"}, "INVALID_ID"),
        ({"customer_id": "0123456789ABC"}, "INVALID_CUSTOMER_ID"),
        ({"customer_id": "short"}, "INVALID_FIELDS"),
        ({"points": 0}, "INVALID_FIELDS"),
        ({"points": -5}, "INVALID_FIELDS"),
        ({"hold_for": Duration(seconds=86_401)}, "INVALID_FIELDS"),
        ({"hold_for": Duration(seconds=0)}, "INVALID_FIELDS"),
        ({"origin": None}, "INVALID_FIELDS"),
        ({"origin": origin_pb2.Origin()}, "INVALID_FIELDS"),
        ({"origin": origin_pb2.Origin(store_id="s1", staff_ref="4111111111111111")}, "PAN_NOT_ALLOWED"),
        ({"recognised_by": 99}, "INVALID_FIELDS"),
    ],
)
async def test_a_malformed_reserve_is_refused_and_writes_nothing(loyalty, refused, fields, reason):
    customer = await with_points(loyalty, 100)
    request = {"reservation_id": new_uuid(), "customer_id": customer, "points": 5, "origin": TILL, **fields}
    assert await refused(loyalty.redemptions.Reserve(pb.ReserveRequest(**request))) == reason
    assert await loyalty.count("reservations") == 0


async def test_a_token_without_the_scope_is_refused(loyalty, refused):
    till = loyalty.stub(redemptions_pb2_grpc.RedemptionServiceStub, scopes="loyalty.redemptions.read")
    assert await refused(till.Reserve(ask(new_customer_id(), 5))) == "MISSING_SCOPE"


async def test_a_reserve_whose_answer_was_lost_is_repeated_without_harm(loyalty):
    customer = await with_points(loyalty, 100)
    for _ in range(10):
        request = ask(customer, 10)
        lost = loyalty.redemptions.Reserve(request)
        await asyncio.wait([asyncio.ensure_future(lost.initial_metadata())], timeout=0.002)
        lost.cancel()
        assert (await loyalty.redemptions.Reserve(request)).reservation.state == HELD
    account = await loyalty.account(customer)
    assert (account.active, account.reserved) == (0, 100)


@pytest.mark.parametrize("fault", ["too many lines", "unknown kind", "no net", "negative use"])
async def test_a_malformed_quote_is_refused(loyalty, new_line, refused, fault):
    request = pb.QuoteRequest(customer_id=await loyalty.customer(), lines=[new_line(1, line_id="1")])
    if fault == "too many lines":
        request.lines.extend([new_line(1, line_id="1")] * 500)
    elif fault == "unknown kind":
        request.lines[0].kind = 99
    elif fault == "no net":
        request.lines[0].ClearField("net")
    else:
        request.use_points = -1
    assert await refused(loyalty.redemptions.Quote(request)) == "INVALID_FIELDS"
