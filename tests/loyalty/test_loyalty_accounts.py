"""Accounts: adjustments, the ledger in pages, merges; what is malformed changes nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.type.date_pb2 import Date

from kit import paging
from kit.ids import new_customer_id, new_uuid
from langganan.events.v1 import purchases_pb2
from langganan.loyalty.v1 import accounts_pb2 as pb
from langganan.loyalty.v1 import programs_pb2, redemptions_pb2, tiers_pb2
from langganan.types.v1 import origin_pb2


async def test_sixteen_times_the_same_adjustment_at_once_is_booked_once(loyalty, refused):
    customer, adjustment_id = await loyalty.customer(), new_uuid()
    replies = await asyncio.gather(*(loyalty.adjust(customer, 50, adjustment_id) for _ in range(16)))
    assert {(reply.entry.entry_no, reply.entry.points) for reply in replies} == {(1, 50)}
    assert (await loyalty.account(customer)).balance == 50
    assert await refused(loyalty.adjust(customer, 51, adjustment_id)) == "IDEMPOTENCY_CONFLICT"
    other = await loyalty.customer()
    assert await refused(loyalty.adjust(other, 50, adjustment_id)) == "IDEMPOTENCY_CONFLICT"
    assert (await loyalty.account(other)).balance == 0


async def test_taking_more_than_there_is_makes_the_account_negative(loyalty):
    customer = await loyalty.customer()
    await loyalty.adjust(customer, 50)
    taken = await loyalty.adjust(customer, -80)
    assert (taken.entry.points, taken.entry.balance_after, taken.account.negative) == (-80, -30, 30)
    await loyalty.explained(customer)


async def test_a_dry_run_says_what_would_be_and_writes_nothing(loyalty):
    customer, adjustment_id = await loyalty.customer(), new_uuid()
    would = await loyalty.adjust(customer, -80, adjustment_id, dry_run=True)
    assert (would.entry.balance_after, would.account.negative) == (-80, 80)
    assert await loyalty.entries(customer) == []
    done = await loyalty.adjust(customer, 5, adjustment_id)
    assert done.account.balance == 5


async def test_given_points_may_expire_but_not_in_the_past(loyalty, refused):
    customer = await loyalty.customer()
    await loyalty.adjust(customer, 10, expires_on=Date(year=2026, month=9, day=1))
    await loyalty.adjust(customer, 20, expires_on=Date(year=2026, month=8, day=1))
    await loyalty.adjust(customer, 40)
    account = await loyalty.account(customer)
    assert (account.expiring_next, account.expires_on.month) == (20, 8)
    past = loyalty.adjust(customer, 10, expires_on=Date(year=2026, month=3, day=1))
    assert await refused(past) == "EXPIRY_PASSED"
    never = loyalty.adjust(customer, 10, expires_on=Date(year=2026, month=2, day=30))
    assert await refused(never) == "INVALID_DATE"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"points": 0}, "INVALID_FIELDS"),
        ({"adjustment_id": "no"}, "INVALID_FIELDS"),
        ({"reason": ""}, "INVALID_FIELDS"),
        ({"customer_id": "0123456789ABC"}, "INVALID_CUSTOMER_ID"),
        ({"customer_id": "0000000000000"}, "ACCOUNT_NOT_FOUND"),
    ],
)
async def test_a_malformed_adjustment_is_refused(loyalty, refused, fields, reason):
    request = pb.AdjustPointsRequest(
        **{"adjustment_id": new_uuid(), "customer_id": await loyalty.customer(), "points": 5, "reason": "r"}
        | fields
    )
    assert await refused(loyalty.accounts.AdjustPoints(request)) == reason
    assert await loyalty.count("entries") == 0


async def test_entries_come_in_pages_newest_first(loyalty, refused):
    customer, now = await loyalty.customer(), loyalty.run.clock.now()
    sales = [loyalty.sale(customer, [day * 1000], at=now + timedelta(days=day)) for day in range(1, 8)]
    await loyalty.deliver(*reversed(sales))
    seen, token = [], ""
    while True:
        request = pb.ListEntriesRequest(customer_id=customer, page_size=3, page_token=token)
        reply = await loyalty.accounts.ListEntries(request)
        seen += [entry.points for entry in reply.entries]
        token = reply.next_page_token
        if not token:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    damaged = pb.ListEntriesRequest(customer_id=customer, page_token="xyz")
    assert await refused(loyalty.accounts.ListEntries(damaged)) == "INVALID_PAGE_TOKEN"


async def test_a_balance_is_explained_by_its_entries_lots_and_reservations(loyalty):
    customer = await loyalty.customer()
    await loyalty.adjust(customer, 100)
    await loyalty.deliver(loyalty.sale(customer, [20_000]))
    held = await loyalty.reserve(customer, 30)
    explained = await loyalty.explained(customer)
    assert explained.folded_balance == 120
    assert [(s.kind, s.entries, s.points) for s in explained.sums] == [
        (pb.ENTRY_KIND_ADJUST, 1, 100),
        (pb.ENTRY_KIND_EARN, 1, 20),
    ]
    assert [lot.points_left for lot in explained.lots] == [20, 100]
    assert [(h.reservation_id, h.points) for h in explained.held] == [(held.reservation_id, 30)]


async def test_a_merged_customers_points_reservations_and_returns_go_on_with_the_survivor(loyalty):
    absorbed, survivor = await loyalty.customer(), await loyalty.customer()
    await loyalty.adjust(absorbed, 100)
    sale = loyalty.sale(absorbed, [50_000])
    await loyalty.deliver(sale, loyalty.sale(survivor, [7_000]))
    held = await loyalty.reserve(absorbed, 30)
    event = loyalty.merged(absorbed, survivor)
    await loyalty.deliver(event)
    await loyalty.deliver(loyalty.merged(absorbed, survivor))
    account = await loyalty.account(survivor)
    assert (account.balance, account.reserved) == (157, 30)
    seen = await loyalty.account(absorbed)
    assert (seen.balance, seen.merged_into) == (157, survivor)
    await loyalty.deliver(loyalty.returned(sale, [("1", 50_000, 50_000)]))
    using = loyalty.sale(absorbed, [300], points=[(300, held.reservation_id)])
    await loyalty.deliver(using, loyalty.sale(survivor, [1_000]))
    account = await loyalty.account(survivor)
    assert (account.balance, account.reserved) == (78, 0)
    assert await loyalty.marks(survivor) == []
    again = await loyalty.reservation(absorbed, held.reservation_id)
    assert again.state == redemptions_pb2.RESERVATION_STATE_REDEEMED
    await loyalty.explained(survivor)


async def test_a_poisoned_event_parks_its_customer_and_nobody_else(loyalty):
    bad, good = await loyalty.customer(), await loyalty.customer()
    poisoned = loyalty.sale(bad, [1_000])
    assert isinstance(poisoned.payload, purchases_pb2.PurchaseCompleted)
    poisoned.payload.time_zone = "Nowhere/Land"
    await loyalty.deliver(
        loyalty.sale(good, [1_000]),
        loyalty.sale(bad, [1_000]),
        poisoned,
        loyalty.sale(bad, [4_000]),
        loyalty.sale(good, [2_000]),
    )
    assert (await loyalty.account(good)).balance == 3
    assert (await loyalty.account(bad)).balance == 1
    assert await loyalty.parked(bad) == ["POISONED", "BEHIND"]
    assert await loyalty.parked(good) == []


async def test_a_sale_that_no_program_can_decide_waits_until_one_can(loyalty):
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [1_000], currency="USD"), loyalty.sale(customer, [2_000]))
    assert (await loyalty.parked(customer))[0] == "NOT_YET"
    fine = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(fine, [2_000]))
    assert (await loyalty.account(fine)).balance == 2


async def test_an_account_that_nobody_has_heard_of_is_not_found(loyalty, refused):
    unknown = new_customer_id()
    for call in (
        loyalty.account(unknown),
        loyalty.entries(unknown),
        loyalty.explained(unknown),
        loyalty.adjust(unknown, 5),
    ):
        assert await refused(call) == "ACCOUNT_NOT_FOUND"


async def test_a_card_number_is_refused_wherever_text_is_kept(loyalty, refused):
    customer, card = await loyalty.customer(), "4111 1111 1111 1111"
    given = pb.AdjustPointsRequest(
        adjustment_id=new_uuid(), customer_id=customer, points=5, reason=f"card {card}"
    )
    assert await refused(loyalty.accounts.AdjustPoints(given)) == "PAN_NOT_ALLOWED"
    assert await loyalty.count("adjustments") == 0


async def test_one_adjustment_id_for_two_customers_at_once_is_booked_for_one(loyalty, refused):
    customers, adjustment_id = [await loyalty.customer() for _ in range(8)], new_uuid()
    calls = (loyalty.adjust(customer, 5, adjustment_id) for customer in customers)
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(reply, Exception) for reply in replies) == 1
    balances = [(await loyalty.account(customer)).balance for customer in customers]
    assert sorted(balances) == [0] * 7 + [5]
    for customer, balance in zip(customers, balances, strict=True):
        if not balance:
            assert await refused(loyalty.adjust(customer, 5, adjustment_id)) == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    "position", [[], ["x", 1], ["0001-01-01T00:00:00+23:00", 1], ["2026-01-01T00:00:00", "x"], [1, 2**70]]
)
async def test_a_forged_page_token_is_refused(loyalty, refused, position):
    customer = await loyalty.customer()
    token = paging.encode(position, "entries", loyalty.merchant, customer)
    forged = pb.ListEntriesRequest(customer_id=customer, page_token=token)
    assert await refused(loyalty.accounts.ListEntries(forged)) == "INVALID_PAGE_TOKEN"
    token = paging.encode(position, "exceptions", loyalty.merchant, customer, False)
    forged = redemptions_pb2.ListExceptionsRequest(customer_id=customer, page_token=token)
    assert await refused(loyalty.redemptions.ListExceptions(forged)) == "INVALID_PAGE_TOKEN"


async def test_tills_staff_and_events_at_once_keep_one_account_in_step(loyalty, other_processes, till):
    customer = await loyalty.customer()
    await loyalty.adjust(customer, 500)
    tills = [loyalty.redemptions, *other_processes]
    held = [await loyalty.reserve(customer, 10) for _ in range(8)]

    async def reserve(n):
        request = redemptions_pb2.ReserveRequest(
            reservation_id=new_uuid(), customer_id=customer, points=n + 1, origin=till
        )
        await tills[n % 4].Reserve(request)

    async def sell(n):
        sale = loyalty.sale(customer, [7_000], points=[(100, held[n].reservation_id)])
        await loyalty.deliver(sale)
        await loyalty.deliver(loyalty.returned(sale, [("1", 3_500, 7_000)], points=[("p1", 50, 100)]))

    await asyncio.gather(
        *(reserve(n) for n in range(16)),
        *(sell(n) for n in range(4)),
        *(loyalty.release(customer, held[n].reservation_id) for n in range(4, 8)),
        *(loyalty.adjust(customer, points) for points in (5, -7, 11, -13)),
        *(loyalty.pin(customer, tier) for tier in ("New", "New")),
    )
    await loyalty.explained(customer)
    account = await loyalty.account(customer)
    # 500 - 4 + 4 sales of 10 used, 6 earned, 5 restored, 3 taken back; 1 + … + 16 held
    assert (account.balance, account.reserved) == (500 - 4 + 4 * (6 - 10 + 5 - 3), 136)


async def test_without_a_free_connection_every_call_is_told_to_try_again(loyalty):
    customer, pool = await loyalty.customer(), loyalty.run.pool
    taken = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        calls = [
            loyalty.account(customer),
            loyalty.entries(customer),
            loyalty.explained(customer),
            loyalty.reservation(customer, new_uuid()),
            loyalty.exceptions(),
            loyalty.redemptions.Quote(redemptions_pb2.QuoteRequest(customer_id=customer)),
            loyalty.programs.GetProgram(programs_pb2.GetProgramRequest()),
            loyalty.tiers.ListTiers(tiers_pb2.ListTiersRequest()),
        ]
        async with asyncio.timeout(8):
            replies = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        for conn in taken:
            await pool.release(conn)
    assert [reply.code() for reply in replies] == [grpc.StatusCode.UNAVAILABLE] * len(calls)


async def test_what_is_not_listed_of_a_balance_is_summed(loyalty):
    customer = await loyalty.customer()
    for points in range(1, 204):
        await loyalty.adjust(customer, points)
    held = [await loyalty.reserve(customer, points) for points in range(1, 203)]
    reply = await loyalty.explained(customer)
    assert (len(reply.lots), reply.more_lots.count, reply.more_lots.points) == (200, 3, 201 + 202 + 203)
    assert (len(reply.held), reply.more_held.count) == (200, 2)
    await loyalty.release(customer, held[0].reservation_id)
    assert (await loyalty.explained(customer)).more_held.count == 1


async def test_decisions_of_staff_keep_where_they_came_from(loyalty, till):
    customer = await loyalty.customer()
    sent = origin_pb2.Origin()
    sent.CopyFrom(till)
    sent.sent_at.FromDatetime(loyalty.run.clock.now())
    await loyalty.adjust(customer, 5, origin=sent)
    pin = tiers_pb2.SetTierRequest(request_id=new_uuid(), customer_id=customer, tier="VIP", reason="r")
    pin.origin.CopyFrom(sent)
    await loyalty.tiers.SetTier(pin)
    await loyalty.deliver(loyalty.sale(customer, [1_000], points=[(10, new_uuid())]))
    [marked] = await loyalty.exceptions(customer)
    settle = redemptions_pb2.ResolveExceptionRequest(
        request_id=new_uuid(), exception_id=marked.exception_id, resolution="RESOLUTION_ACCEPTED", origin=sent
    )
    await loyalty.redemptions.ResolveException(settle)
    kept = {"adjustments": "origin", "tier_pins": "origin", "redemption_exceptions": "resolve_origin"}
    for table, column in kept.items():
        sql = f"select {column} from {table} where merchant_id = $1"
        assert origin_pb2.Origin.FromString(await loyalty.run.pool.fetchval(sql, loyalty.merchant)) == sent
