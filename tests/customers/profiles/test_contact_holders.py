"""A contact point has one holder a merchant, unless it is shared; numbers are sold again."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from langganan.customers.v1 import contacts_pb2


async def test_sixteen_registrations_with_one_phone_give_one_holder(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    calls = [desk.customers.CreateCustomer(desk.creation(f"Orang {n}", point(number))) for n in range(16)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [o for o in outcomes if isinstance(o, grpc.aio.AioRpcError)]
    assert [o.code() for o in refusals] == [grpc.StatusCode.ALREADY_EXISTS] * 15
    assert len(await desk.identify(phone=number)) == 1
    assert await desk.count("customers") == 1
    assert await desk.count_vault("people") == 1


async def test_whoever_asks_for_a_held_number_learns_the_masked_holder(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    holder = await desk.create("Budi Santoso", point(number))
    info = await refused(desk.customers.CreateCustomer(desk.creation("Ani", point(number))))
    assert info.reason == "CONTACT_HELD"
    assert dict(info.metadata) == {"channel": "PHONE", "holder": "B*** S***", "holder_id": holder.customer_id}


async def test_a_number_that_was_sold_again_passes_to_its_new_holder(
    desk: Any, point: Any, number: str
) -> None:
    old = await desk.create("Budi", point(number))
    await desk.consent(old.customer_id, address=number)
    new = await desk.create("Ani", point(number), take_over=True)
    (match,) = await desk.identify(phone=number)
    assert match.customer_id == new.customer_id
    before = await desk.get(old.customer_id)
    assert before.contact_points[0].HasField("valid_to")
    assert before.etag == "2"
    listed = await desk.contacts.ListConsents(contacts_pb2.ListConsentsRequest(customer_id=old.customer_id))
    assert listed.consents[0].HasField("ended_at")
    (contact,) = await desk.reach(new.customer_id)
    assert contact.refusal == contacts_pb2.REFUSAL_NO_CONSENT, "the old holder's word is not the new one's"
    facts = await desk.facts(old.customer_id)
    assert list(facts[-1].changed_fields) == ["contact_points"]


async def test_sixteen_take_overs_at_once_leave_one_holder(desk: Any, point: Any, number: str) -> None:
    made = [await desk.create(f"Orang {n}") for n in range(16)]
    outcomes = await asyncio.gather(
        *(desk.update(c.customer_id, contact_points=[point(number)], take_over=True) for c in made)
    )
    (match,) = await desk.identify(phone=number)
    live = [
        c.customer_id
        for c in [await desk.get(o.customer_id) for o in outcomes]
        if any(not p.HasField("valid_to") for p in c.contact_points)
    ]
    assert live == [match.customer_id]
    for customer in made:
        revisions = [f.revision for f in await desk.facts(customer.customer_id)]
        assert revisions == list(range(1, len(revisions) + 1))


async def test_a_number_marked_shared_by_all_has_several_holders_with_masked_names(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    await desk.create("Ani Wijaya", point(number, shared=True))
    await desk.create("Budi Wijaya", point(number, shared=True))
    matches = await desk.identify(phone=number)
    assert sorted((m.name, m.masked) for m in matches) == [("A*** W***", True), ("B*** W***", True)]
    info = await refused(desk.customers.CreateCustomer(desk.creation("Cici", point(number))))
    assert info.reason == "CONTACT_HELD"


async def test_a_register_that_asks_for_too_many_held_numbers_must_wait_and_others_go_on(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    """A held number tells as much as a miss does, so both count together; a free one is refused as well."""
    await desk.create("Budi", point(number))
    mine = await desk.create("Ani")
    for n in range(20):
        assert await desk.identify(phone=f"0813{n:08}") == []
    for _ in range(20):
        asked = desk.customers.CreateCustomer(desk.creation("Ani", point(number)))
        assert (await refused(asked)).reason == "CONTACT_HELD"
        asked = desk.customers.UpdateCustomer(desk.change(mine.customer_id, contact_points=[point(number)]))
        assert (await refused(asked)).reason == "CONTACT_HELD"
    free = point("free@toko.co.id")
    for address in (point(number), free):
        for asked in (
            desk.customers.CreateCustomer(desk.creation("Ani", address)),
            desk.customers.UpdateCustomer(desk.change(mine.customer_id, contact_points=[address])),
        ):
            assert (await refused(asked)).reason == "TOO_MANY_MISSES"
    assert (await refused(desk.identify(phone=number))).reason == "TOO_MANY_MISSES"
    await desk.create("Tanpa Nomor")
    honest = desk.creation("Citra", free)
    honest.origin.register_id = "r2"
    assert (await desk.customers.CreateCustomer(honest)).customer.customer_id
