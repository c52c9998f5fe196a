"""A member code has one holder, also when several writes want it at once."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio


async def test_of_two_updates_that_take_one_code_at_once_the_later_is_refused_whole(
    desk: Any, refused: Any, sweep: Any, dying: Any
) -> None:
    first, second = await desk.create("Budi"), await desk.create("Ani")
    await dying(desk.change(first.customer_id, member_codes=["SATU-1"]))
    late = desk.change(second.customer_id, member_codes=["SATU-1"], city="Solo")
    assert (await refused(desk.customers.UpdateCustomer(late))).reason == "MEMBER_CODE_HELD"
    registered = desk.creation("Cici", member_codes=["SATU-1"])
    assert (await refused(desk.customers.CreateCustomer(registered))).reason == "MEMBER_CODE_HELD"
    await sweep()
    assert list((await desk.get(first.customer_id)).member_codes) == ["SATU-1"]
    assert await desk.get(second.customer_id) == second
    assert await desk.count("member_code_claims") == 0


async def test_sixteen_updates_that_take_one_code_at_once_give_it_to_one(desk: Any) -> None:
    made = [await desk.create(f"Orang {n}") for n in range(16)]
    calls = [desk.update(c.customer_id, member_codes=["SATU-2"], city="Solo") for c in made]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(o, grpc.aio.AioRpcError) for o in outcomes) == 15
    after = [await desk.get(c.customer_id) for c in made]
    assert sorted((c.city, *c.member_codes) for c in after) == [("",)] * 15 + [("Solo", "SATU-2")]


async def test_a_code_that_a_refused_write_wanted_is_free(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    holder = await desk.create("Budi", point(number))
    request = desk.creation("Ani", point(number), member_codes=["BEBAS-1"])
    assert (await refused(desk.customers.CreateCustomer(request))).reason == "CONTACT_HELD"
    stale = desk.change(holder.customer_id, etag="9", member_codes=["BEBAS-1"])
    assert (await refused(desk.customers.UpdateCustomer(stale))).reason == "ETAG_MISMATCH"
    await desk.create("Cici", member_codes=["BEBAS-1"])


async def test_a_member_code_has_one_holder_and_leaves_nothing_behind_when_refused(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    await desk.create("Budi", member_codes=["KARTU-1"])
    request = desk.creation("Ani", point(number), member_codes=["kartu-1"])
    assert (await refused(desk.customers.CreateCustomer(request))).reason == "MEMBER_CODE_HELD"
    assert await desk.identify(phone=number) == []
    request.customer.member_codes[:] = ["KARTU-2"]
    assert (await desk.customers.CreateCustomer(request)).customer.member_codes == ["KARTU-2"]
