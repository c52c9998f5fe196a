"""Recognising customers at the till."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.ids import new_customer_id
from langganan.customers.v1 import contacts_pb2, profiles_pb2, profiles_pb2_grpc
from langganan.types.v1.origin_pb2 import Origin


async def test_a_customer_is_recognised_by_number_address_code_and_id(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create(
        "Budi Santoso", point(number), point("Budi@Toko.co.id"), nickname="Mas Budi", member_codes=["MB-77"]
    )
    typed = made.customer_id[:4].lower() + " " + made.customer_id[4:]
    spoken = f"{number[:4]} {number[4:8]}-{number[8:]}"
    for by in (
        {"phone": number},
        {"phone": spoken},
        {"phone": "+62" + number[1:]},
        {"email": "budi@toko.co.id"},
        {"member_code": "mb-77"},
        {"customer_id": typed},
    ):
        (match,) = await desk.identify(**by)
        assert (match.customer_id, match.name, match.masked) == (made.customer_id, "Mas Budi", False)
        assert match.status == profiles_pb2.CUSTOMER_STATUS_ACTIVE
        assert (match.kind, match.language) == (profiles_pb2.CUSTOMER_KIND_PERSON, "id")


async def test_whatsapp_and_phone_are_one_number(desk: Any, refused: Any, number: str) -> None:
    whatsapp = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_WHATSAPP, address=number)
    phone = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=number)
    made = await desk.create("Budi", whatsapp, phone)
    assert [m.customer_id for m in await desk.identify(phone=number)] == [made.customer_id]
    assert (
        await refused(desk.customers.CreateCustomer(desk.creation("Ani", phone)))
    ).reason == "CONTACT_HELD"


async def test_many_tills_at_once_each_get_their_own_customer(desk: Any, point: Any, number: str) -> None:
    numbers = [f"{number[:-2]}{n:02}" for n in range(40)]
    made = await asyncio.gather(*(desk.create(f"Orang {n}", point(a)) for n, a in enumerate(numbers)))
    found = await asyncio.gather(*(desk.identify(f"r{n}", phone=a) for n, a in enumerate(numbers)))
    assert [[m.customer_id for m in f] for f in found] == [[c.customer_id] for c in made]


async def test_the_access_log_says_who_asked_for_whom_before_the_answer(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    await desk.identify(phone=number)
    row = await desk.vault.fetchrow(
        "SELECT * FROM access_log WHERE merchant_id = $1 AND action = 'IDENTIFY'", desk.merchant
    )
    assert row["customer_ids"] == [made.customer_id]
    assert (row["subject"], row["store_id"], row["register_id"]) == ("till-1", "pusat", "r1")
    assert (row["staff_ref"], row["asked"]) == ("staff-9", 1)


async def test_every_reading_of_a_profile_is_logged_with_its_reason(desk: Any) -> None:
    made = await desk.create("Budi")
    await desk.get(made.customer_id)
    await desk.update(made.customer_id, city="Solo")
    rows = await desk.vault.fetch(
        "SELECT action, reason, customer_ids, staff_ref FROM access_log WHERE merchant_id = $1", desk.merchant
    )
    who = ([made.customer_id], "staff-9")
    assert [tuple(r) for r in rows] == [("CREATE", "", *who), ("GET", "test", *who), ("UPDATE", "", *who)]


async def test_a_register_that_misses_too_often_must_wait_and_others_go_on(
    desk: Any, refused: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    asked = [desk.identify("rogue", phone=f"0813{n:08}") for n in range(60)]
    assert await asyncio.gather(*asked) == [[]] * 60
    assert (await refused(desk.identify("rogue", phone=number))).reason == "TOO_MANY_MISSES"
    assert [m.customer_id for m in await desk.identify("honest", phone=number)] == [made.customer_id]


async def test_a_register_that_missed_too_often_still_scans_cards_and_codes(
    desk: Any, refused: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number), member_codes=["SCAN-1"])
    await asyncio.gather(*(desk.identify("rogue", phone=f"0813{n:08}") for n in range(60)))
    assert (await refused(desk.identify("rogue", email="budi@toko.co.id"))).reason == "TOO_MANY_MISSES"
    for by in ({"member_code": "SCAN-1"}, {"customer_id": made.customer_id}):
        assert [m.customer_id for m in await desk.identify("rogue", **by)] == [made.customer_id]


async def test_without_a_register_only_the_caller_who_missed_must_wait(
    desk: Any, refused: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    await asyncio.gather(*(desk.identify("", phone=f"0813{n:08}") for n in range(60)))
    assert (await refused(desk.identify("", phone=number))).reason == "TOO_MANY_MISSES"
    assert await desk.identify("r1", phone=number)
    other = desk.run.stub(profiles_pb2_grpc.CustomerServiceStub, merchant=desk.merchant, subject="till-2")
    asked = profiles_pb2.IdentifyRequest(origin=Origin(store_id="pusat"), phone=number)
    assert [m.customer_id for m in (await other.Identify(asked)).matches] == [made.customer_id]


async def test_a_restricted_customer_is_recognised_without_a_name(desk: Any, point: Any, number: str) -> None:
    made = await desk.create("Budi", point(number))
    await desk.update(made.customer_id, status=profiles_pb2.CUSTOMER_STATUS_RESTRICTED)
    (match,) = await desk.identify(phone=number)
    assert (match.customer_id, match.name) == (made.customer_id, "")
    assert match.status == profiles_pb2.CUSTOMER_STATUS_RESTRICTED


async def test_an_erased_customer_is_nobody(desk: Any, point: Any, refused: Any, number: str) -> None:
    made = await desk.create("Budi", point(number), member_codes=["HILANG-1"])
    await desk.run.pool.execute(
        "UPDATE customers SET status = 'ERASING' WHERE customer_id = $1", made.customer_id
    )
    for by in ({"phone": number}, {"member_code": "HILANG-1"}, {"customer_id": made.customer_id}):
        assert await desk.identify(**by) == []
    info = await refused(desk.customers.UpdateCustomer(desk.change(made.customer_id, city="Solo")))
    assert info.reason == "CUSTOMER_ERASED"


async def test_what_cannot_be_read_is_refused_and_not_counted_as_a_miss(desk: Any, refused: Any) -> None:
    assert (await refused(desk.identify(phone="halo"))).reason == "INVALID_PHONE"
    assert (await refused(desk.identify(email="halo"))).reason == "INVALID_EMAIL"
    assert (await refused(desk.identify(member_code="?"))).reason == "INVALID_MEMBER_CODE"
    assert (await refused(desk.identify(customer_id="0000000000001"))).reason == "INVALID_CUSTOMER_ID"
    assert (await refused(desk.identify())).reason == "INVALID_FIELDS"
    assert await desk.count_vault("identify_misses") == 0
    assert await desk.identify(customer_id=new_customer_id()) == []
    assert await desk.identify(member_code="HILANG-9") == []
    assert await desk.count_vault("identify_misses") == 0, "nobody guesses a code or an id"
    assert await desk.identify(email="nobody@toko.co.id") == []
    assert await desk.count_vault("identify_misses") == 1
