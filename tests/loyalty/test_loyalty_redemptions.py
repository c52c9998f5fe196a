"""Points tenders of finished sales: used, and listed where their reservation did not allow it."""

from __future__ import annotations

import asyncio

from prometheus_client import REGISTRY

from kit.ids import new_uuid
from langganan.events.v1 import loyalty_pb2
from langganan.loyalty.v1 import redemptions_pb2 as pb


async def with_points(loyalty, points):
    customer = await loyalty.customer()
    await loyalty.given(customer, points)
    return customer


async def test_a_sale_uses_its_reservation_and_earns_on_the_rest(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 60)
    sale = loyalty.sale(customer, [10_600], points=[(600, held.reservation_id)])
    await loyalty.deliver(sale)
    assert await loyalty.entries(customer) == [("ADJUST", 100, ""), ("REDEEM", -60, "p1"), ("EARN", 10, "")]
    used = await loyalty.reservation(customer, held.reservation_id)
    assert (used.state, used.points_redeemed) == (pb.RESERVATION_STATE_REDEEMED, 60)
    assert used.purchase_id == sale.payload.purchase_id
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.reserved) == (50, 50, 0)
    said = [f for f in await loyalty.said(customer) if isinstance(f, loyalty_pb2.PointsRedeemed)]
    assert [(f.points, f.value, f.balance) for f in said] == [(60, 600, 40)]
    assert await loyalty.marks() == []
    await loyalty.explained(customer)


async def test_a_smaller_tender_releases_the_rest(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 60)
    await loyalty.deliver(loyalty.sale(customer, [200], points=[(200, held.reservation_id)]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.reserved) == (80, 80, 0)
    assert await loyalty.marks() == []


async def test_a_larger_tender_is_booked_and_marked_over_hold(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 60)
    await loyalty.deliver(loyalty.sale(customer, [1_500], points=[(1_500, held.reservation_id)]))
    account = await loyalty.account(customer)
    assert (account.balance, account.active, account.negative) == (-50, 0, 50)
    assert await loyalty.marks(customer) == ["OVER_HOLD"]
    await loyalty.explained(customer)


async def test_a_released_reservation_is_booked_and_marked(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 60)
    await loyalty.release(customer, held.reservation_id)
    await loyalty.deliver(loyalty.sale(customer, [600], points=[(600, held.reservation_id)]))
    assert (await loyalty.account(customer)).balance == 40
    assert await loyalty.marks(customer) == ["VOIDED_THEN_SOLD"]


async def test_unknown_used_foreign_and_declined_reservations_are_unauthorised(loyalty):
    customer, other = await with_points(loyalty, 1_000), await with_points(loyalty, 1_000)
    used, foreign = await loyalty.reserve(customer, 10), await loyalty.reserve(other, 10)
    declined, unknown = await loyalty.reserve(customer, 5_000), new_uuid()
    ids = [used.reservation_id, used.reservation_id, foreign.reservation_id]
    ids += [declined.reservation_id, unknown]
    for reservation_id in ids:
        await loyalty.deliver(loyalty.sale(customer, [100], points=[(100, reservation_id)]))
    assert await loyalty.marks(customer) == ["UNAUTHORISED"] * 4
    assert (await loyalty.account(customer)).balance == 950
    # what belongs to others, or is used, stays as it was; a late Reserve under the unknown id holds nothing
    assert (await loyalty.account(other)).reserved == 10
    assert (await loyalty.reserve(customer, 10, unknown)).state == pb.RESERVATION_STATE_REDEEMED
    assert (await loyalty.account(customer)).reserved == 0
    await loyalty.explained(customer)


async def test_two_tenders_of_one_sale_cannot_use_one_reservation_twice(loyalty):
    customer = await with_points(loyalty, 100)
    held = await loyalty.reserve(customer, 50)
    points = [(500, held.reservation_id), (500, held.reservation_id)]
    await loyalty.deliver(loyalty.sale(customer, [1_000], points=points))
    assert (await loyalty.account(customer)).balance == 0
    assert await loyalty.marks(customer) == ["UNAUTHORISED"]


async def test_an_anonymous_sale_with_points_is_listed_and_takes_nothing(loyalty):
    sale = loyalty.sale("", [1_000], points=[(1_000, new_uuid())])
    await loyalty.deliver(sale)
    await loyalty.deliver(loyalty.sale("", [500]))
    [listed] = await loyalty.exceptions()
    assert (listed.customer_id, listed.points, listed.value.units) == ("", 0, 1_000)
    assert listed.mark == pb.EXCEPTION_MARK_UNAUTHORISED


async def test_an_offline_sale_may_use_as_many_points_as_the_program_allows(loyalty):
    customer = await with_points(loyalty, 100)
    await loyalty.set_program(max_offline_points=30)
    await loyalty.deliver(loyalty.sale(customer, [300], points=[(300, new_uuid())], offline=True))
    assert await loyalty.marks(customer) == []
    await loyalty.deliver(loyalty.sale(customer, [310], points=[(310, new_uuid())], offline=True))
    assert await loyalty.marks(customer) == ["UNAUTHORISED"]
    assert (await loyalty.account(customer)).balance == 39


async def test_a_reserve_that_races_with_its_sale_is_used_or_holds_nothing(loyalty):
    customer = await with_points(loyalty, 1_000)
    for _ in range(10):
        reservation_id = new_uuid()
        sale = loyalty.sale(customer, [100], points=[(100, reservation_id)])
        await asyncio.gather(loyalty.reserve(customer, 10, reservation_id), loyalty.deliver(sale))
        found = await loyalty.reservation(customer, reservation_id)
        assert found.state == pb.RESERVATION_STATE_REDEEMED
    account = await loyalty.account(customer)
    assert (account.balance, account.reserved) == (900, 0)
    await loyalty.explained(customer)


def resolving(exception_id, request_id=None, resolution=pb.RESOLUTION_ACCEPTED):
    return pb.ResolveExceptionRequest(
        request_id=request_id or new_uuid(), exception_id=exception_id, resolution=resolution
    )


async def test_an_exception_is_resolved_once_by_one_request(loyalty, someone_else, refused):
    customer = await with_points(loyalty, 100)
    await loyalty.deliver(loyalty.sale(customer, [100], points=[(100, new_uuid())]))
    [listed] = await loyalty.exceptions(customer)
    open_before = await shown_open(loyalty)
    request = resolving(listed.exception_id)
    resolve = loyalty.redemptions.ResolveException
    foreign = someone_else.redemptions.ResolveException(request)
    assert await refused(foreign) == "EXCEPTION_NOT_FOUND"
    replies = await asyncio.gather(*(resolve(request) for _ in range(16)))
    assert all(reply == replies[0] for reply in replies)
    assert replies[0].exception.resolution == pb.RESOLUTION_ACCEPTED
    other = resolving(listed.exception_id, request.request_id, pb.RESOLUTION_ADJUSTED)
    assert await refused(resolve(other)) == "IDEMPOTENCY_CONFLICT"
    assert await refused(resolve(resolving(listed.exception_id))) == "EXCEPTION_RESOLVED"
    assert await refused(resolve(resolving(new_uuid()))) == "EXCEPTION_NOT_FOUND"
    assert await loyalty.exceptions(customer) == []
    everything = pb.ListExceptionsRequest(include_resolved=True)
    assert len((await loyalty.redemptions.ListExceptions(everything)).exceptions) == 1
    assert await shown_open(loyalty) == open_before - 1


async def shown_open(loyalty):
    """How many tenders without a reservation wait for staff, as a worker shows it of all merchants."""
    await loyalty.run.sweep("exceptions")
    return REGISTRY.get_sample_value("langganan_loyalty_exceptions_open", {"mark": "UNAUTHORISED"})


async def test_of_sixteen_resolutions_at_once_one_settles_the_exception(loyalty, refused):
    customer = await with_points(loyalty, 100)
    await loyalty.deliver(loyalty.sale(customer, [100], points=[(100, new_uuid())]))
    [listed] = await loyalty.exceptions(customer)
    resolve = loyalty.redemptions.ResolveException
    calls = (resolve(resolving(listed.exception_id)) for _ in range(16))
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(reply, Exception) for reply in replies) == 1


async def test_exceptions_are_listed_in_pages_bound_to_their_filter(loyalty, refused):
    customer = await with_points(loyalty, 100)
    sales = [loyalty.sale(customer, [10], points=[(10, new_uuid())]) for _ in range(5)]
    await loyalty.deliver(*sales)
    seen, token = [], ""
    while True:
        request = pb.ListExceptionsRequest(customer_id=customer, page_size=2, page_token=token)
        reply = await loyalty.redemptions.ListExceptions(request)
        seen += [e.purchase_id for e in reply.exceptions]
        token = reply.next_page_token
        if not token:
            break
        wrong = pb.ListExceptionsRequest(page_token=token)
        assert await refused(loyalty.redemptions.ListExceptions(wrong)) == "INVALID_PAGE_TOKEN"
    assert sorted(seen) == sorted(sale.payload.purchase_id for sale in sales)
