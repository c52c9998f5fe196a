"""Registering, reading and changing customers over gRPC."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import grpc.aio
import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from kit.ids import new_customer_id, valid_customer_id
from langganan.customers.v1 import contacts_pb2, profiles_pb2
from langganan.events.v1 import customers_pb2


async def test_a_registered_customer_is_read_back_whole(desk: Any, point: Any, number: str) -> None:
    registered = datetime(2020, 5, 1, tzinfo=UTC)
    request = desk.creation(
        "Siti Rahayu",
        point(number),
        point("Siti.Rahayu@toko.co.id"),
        nickname="Bu Siti",
        gender=profiles_pb2.GENDER_FEMALE,
        birth_date=Date(year=1988, month=2, day=29),
        member_codes=["sr-0042"],
        address="Jl. Melati 5",
        city="Bandung",
        province="Jawa Barat",
        postal_code="40115",
        notes="suka kopi",
        acquisition_source="walk-in",
        time_zone="Asia/Makassar",
        credit_limit_wished=Money(currency_code="IDR", units=500_000),
    )
    request.customer.registered_at.FromDatetime(registered)
    made = (await desk.customers.CreateCustomer(request)).customer
    assert valid_customer_id(made.customer_id)
    assert await desk.get(made.customer_id) == made
    assert made.contact_points[0].address == "+62" + number[1:]
    assert made.contact_points[1].address == "Siti.Rahayu@toko.co.id"
    assert made.birth_date == Date(year=1988, month=2, day=29)
    assert list(made.member_codes) == ["SR-0042"]
    assert (made.notes, made.address, made.postal_code) == ("suka kopi", "Jl. Melati 5", "40115")
    assert made.status == profiles_pb2.CUSTOMER_STATUS_ACTIVE
    assert (made.language, made.home_store_id, made.etag) == ("id", "pusat", "1")
    (fact,) = await desk.facts(made.customer_id)
    assert isinstance(fact, customers_pb2.CustomerRegistered)
    assert (fact.time_zone, fact.currency_code, fact.minor_digits) == ("Asia/Makassar", "IDR", 0)
    assert (fact.credit_limit_wished, fact.kind, fact.revision) == (500_000, "PERSON", 1)
    assert fact.registered_at.ToDatetime(UTC) == registered


async def test_a_registration_sent_sixteen_times_makes_one_customer(
    desk: Any, point: Any, number: str
) -> None:
    request = desk.creation("Budi", point(number), member_codes=["B-0001"])
    replies = await asyncio.gather(*(desk.customers.CreateCustomer(request) for _ in range(16)))
    ids = {r.customer.customer_id for r in replies}
    assert len(ids) == 1
    assert len(await desk.facts(ids.pop())) == 1
    assert await desk.count("customers") == 1
    assert await desk.count_vault("people") == 1
    assert await desk.count_vault("pending") == 0


async def test_the_same_request_with_other_content_is_a_conflict(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    request = desk.creation("Budi", point(number))
    await desk.customers.CreateCustomer(request)
    request.customer.full_name = "Bambang"
    info = await refused(desk.customers.CreateCustomer(request))
    assert info.reason == "IDEMPOTENCY_CONFLICT"
    assert await desk.count("customers") == 1


async def test_a_repeated_registration_answers_the_present_state(desk: Any, point: Any, number: str) -> None:
    request = desk.creation("Budi", point(number))
    made = (await desk.customers.CreateCustomer(request)).customer
    await desk.update(made.customer_id, nickname="Pak Budi")
    again = (await desk.customers.CreateCustomer(request)).customer
    assert (again.customer_id, again.nickname) == (made.customer_id, "Pak Budi")


async def test_what_no_database_or_calendar_holds_is_refused_and_writes_nothing(
    desk: Any, refused: Any
) -> None:
    info = await refused(desk.customers.CreateCustomer(desk.creation("Budi", city="a\x00b")))
    assert info.reason == "INVALID_FIELDS"
    never = desk.creation("Budi")
    never.customer.registered_at.seconds = 2**62
    assert (await refused(desk.customers.CreateCustomer(never))).reason == "INVALID_FIELDS"
    assert await desk.count("customers") + await desk.count_vault("people") == 0


async def test_only_the_masked_fields_change_and_the_update_is_published(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi Santoso", point(number), nickname="Budi", notes="a", city="Solo")
    request = desk.change(made.customer_id, etag=made.etag, city="Yogyakarta", notes="b")
    request.customer.full_name = "not in the mask"
    after = (await desk.customers.UpdateCustomer(request)).customer
    assert (after.full_name, after.nickname, after.city, after.notes) == (
        "Budi Santoso",
        "Budi",
        "Yogyakarta",
        "b",
    )
    assert after.etag == "2"
    fact = (await desk.facts(made.customer_id))[-1]
    assert isinstance(fact, customers_pb2.CustomerUpdated)
    assert (list(fact.changed_fields), fact.revision) == (["city", "notes"], 2)


async def test_an_update_sent_sixteen_times_is_one_update(desk: Any, refused: Any) -> None:
    made = await desk.create("Budi")
    request = desk.change(made.customer_id, etag=made.etag, nickname="Pak Budi", member_codes=["PB-0001"])
    replies = await asyncio.gather(*(desk.customers.UpdateCustomer(request) for _ in range(16)))
    assert {r.customer.etag for r in replies} == {"2"}
    assert len(await desk.facts(made.customer_id)) == 2
    assert await desk.count("member_code_claims") == 0
    request.customer.nickname = "Pak Bud"
    assert (await refused(desk.customers.UpdateCustomer(request))).reason == "IDEMPOTENCY_CONFLICT"


async def test_a_stale_etag_changes_nothing(desk: Any, refused: Any) -> None:
    made = await desk.create("Budi")
    await desk.update(made.customer_id, etag=made.etag, nickname="one")
    stale = desk.change(made.customer_id, etag=made.etag, nickname="two")
    info = await refused(desk.customers.UpdateCustomer(stale))
    assert (info.reason, info.metadata["etag"]) == ("ETAG_MISMATCH", "2")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await desk.customers.UpdateCustomer(stale)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION, "the same id again never helps"
    assert (await desk.get(made.customer_id)).nickname == "one"


async def test_sixteen_updates_at_once_with_one_etag_let_one_through(desk: Any) -> None:
    made = await desk.create("Budi")
    calls = [
        desk.customers.UpdateCustomer(desk.change(made.customer_id, etag="1", nickname=f"n{n}"))
        for n in range(16)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(o, BaseException) for o in outcomes) == 1
    assert (await desk.get(made.customer_id)).etag == "2"


async def test_sixteen_different_updates_at_once_are_published_in_their_order(desk: Any) -> None:
    made = await desk.create("Budi")
    await asyncio.gather(*(desk.update(made.customer_id, city=f"kota {n}") for n in range(16)))
    facts = await desk.facts(made.customer_id)
    assert [f.revision for f in facts] == list(range(1, 18))
    assert await desk.count_vault("pending") == 0


async def test_an_address_left_out_of_an_update_ends(desk: Any, point: Any, number: str) -> None:
    made = await desk.create("Budi", point(number), point("budi@toko.co.id"))
    after = await desk.update(made.customer_id, contact_points=[made.contact_points[1]])
    assert [p.HasField("valid_to") for p in after.contact_points] == [False, True]
    assert await desk.identify(phone=number) == []
    await desk.create("Ani", point(number))


async def test_a_profile_read_and_written_back_keeps_its_addresses(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number), point("budi@toko.co.id"))
    after = await desk.update(made.customer_id, contact_points=list(made.contact_points))
    assert list(after.contact_points) == list(made.contact_points)


async def test_another_merchant_neither_sees_nor_blocks(
    desk: Any, neighbour: Any, point: Any, refused: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number), member_codes=["SAMA-1"])
    assert await neighbour.identify(phone=number) == []
    assert await neighbour.identify(member_code="SAMA-1") == []
    assert await neighbour.identify(customer_id=made.customer_id) == []
    request = profiles_pb2.GetCustomerRequest(customer_id=made.customer_id)
    assert (await refused(neighbour.customers.GetCustomer(request))).reason == "CUSTOMER_NOT_FOUND"
    change = neighbour.change(made.customer_id, city="Solo")
    assert (await refused(neighbour.customers.UpdateCustomer(change))).reason == "CUSTOMER_NOT_FOUND"
    await neighbour.create("Ani", point(number), member_codes=["SAMA-1"])
    (contact,) = await neighbour.reach(made.customer_id)
    assert contact.refusal == contacts_pb2.REFUSAL_UNKNOWN


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "NAME_REQUIRED"),
    ({"language": "Indonesian"}, "INVALID_LANGUAGE"),
    ({"time_zone": "WIB"}, "INVALID_TIME_ZONE"),
    ({"birth_date": Date(year=2020, month=2, day=30)}, "INVALID_BIRTH_DATE"),
    ({"birth_date": Date(year=2027, month=1, day=1)}, "INVALID_BIRTH_DATE"),
    ({"birth_date": Date(year=1990, month=0, day=1)}, "INVALID_BIRTH_DATE"),
    ({"category": "VIP"}, "OUTPUT_ONLY_FIELD"),
    ({"member_codes": ["!!!!"]}, "INVALID_MEMBER_CODE"),
    ({"notes": "card 4111 1111 1111 1111"}, "PAN_NOT_ALLOWED"),
    ({"credit_limit_wished": Money(currency_code="USD", units=1)}, "INVALID_MONEY"),
    ({"credit_limit_wished": Money(currency_code="IDR", nanos=1)}, "INVALID_MONEY"),
    ({"status": profiles_pb2.CUSTOMER_STATUS_ERASED}, "INVALID_STATUS"),
    ({"full_name_too_long": True}, "INVALID_FIELDS"),
    ({"request_id": "A" * 36}, "INVALID_FIELDS"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD, ids=[str(b[1]) + str(list(b[0])) for b in BAD])
async def test_a_malformed_registration_is_refused_with_its_reason_and_writes_nothing(
    desk: Any, refused: Any, fields: dict[str, Any], reason: str
) -> None:
    fields = dict(fields)
    request_id = fields.pop("request_id", None)
    name = "x" * 201 if fields.pop("full_name_too_long", False) else fields.pop("name", "Budi")
    request = desk.creation(name, **fields)
    request.request_id = request_id or request.request_id
    assert (await refused(desk.customers.CreateCustomer(request))).reason == reason
    assert await desk.count("customers") + await desk.count_vault("people") == 0


@pytest.mark.parametrize("address", ["12", "halo", "0812-34", "+62 812 3456 7890 1234 56"])
async def test_what_is_no_phone_number_is_refused(desk: Any, point: Any, refused: Any, address: str) -> None:
    info = await refused(desk.customers.CreateCustomer(desk.creation("Budi", point(address))))
    assert info.reason == "INVALID_PHONE"


async def test_what_is_no_address_or_there_twice_is_refused(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    info = await refused(desk.customers.CreateCustomer(desk.creation("Budi", point("a@b@c"))))
    assert info.reason == "INVALID_EMAIL"
    twice = [point(number), point("+62" + number[1:])]
    info = await refused(desk.customers.CreateCustomer(desk.creation("Budi", *twice)))
    assert info.reason == "DUPLICATE_CONTACT_POINT"


async def test_an_address_taken_over_from_old_books_keeps_its_dates(
    desk: Any, point: Any, number: str
) -> None:
    old = point(number, shared=True)
    old.valid_from.FromDatetime(datetime(2019, 4, 1, tzinfo=UTC))
    old.verified_at.FromDatetime(datetime(2019, 4, 2, tzinfo=UTC))
    made = await desk.create("Budi", old)
    old.address = "+62" + number[1:]
    assert list(made.contact_points) == [old]


async def test_no_text_may_hold_a_card_number(desk: Any, point: Any, refused: Any) -> None:
    card = "4111111111111111"
    for fields in (
        {"nickname": card},
        {"city": card},
        {"acquisition_source": card},
        {"member_codes": [card]},
    ):
        info = await refused(desk.customers.CreateCustomer(desk.creation("Budi", **fields)))
        assert info.reason == "PAN_NOT_ALLOWED"
    request = desk.creation("Budi", point(f"{card}@toko.co.id"))
    assert (await refused(desk.customers.CreateCustomer(request))).reason == "PAN_NOT_ALLOWED"


async def test_an_update_mask_names_what_can_be_updated(desk: Any, refused: Any) -> None:
    made = await desk.create("Budi")
    for path in ("category", "home_store_id", "nonsense", "full_name.first"):
        request = desk.change(made.customer_id)
        request.update_mask.paths.append(path)
        assert (await refused(desk.customers.UpdateCustomer(request))).reason == "INVALID_UPDATE_MASK"
    request = desk.change(new_customer_id(), city="Solo")
    assert (await refused(desk.customers.UpdateCustomer(request))).reason == "CUSTOMER_NOT_FOUND"
    request = desk.change("0000000000001", city="Solo")
    assert (await refused(desk.customers.UpdateCustomer(request))).reason == "INVALID_CUSTOMER_ID"
