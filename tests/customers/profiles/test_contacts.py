"""Who may be spoken to, over which channel, and the evidence of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.type.date_pb2 import Date

from kit.ids import new_customer_id
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2

CONFIRMATION, REMINDER = contacts_pb2.PURPOSE_CONFIRMATION, contacts_pb2.PURPOSE_PAYMENT_REMINDER
GREETING, MARKETING = contacts_pb2.PURPOSE_GREETING, contacts_pb2.PURPOSE_MARKETING


async def test_a_confirmation_needs_no_consent_and_keeps_the_customers_order(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi Santoso", point("budi@toko.co.id"), point(number), nickname="Mas Budi")
    (contact,) = await desk.reach(made.customer_id, purpose=CONFIRMATION)
    assert [a.address for a in contact.allowed] == ["budi@toko.co.id", "+62" + number[1:]]
    assert [a.channel for a in contact.allowed] == [contacts_pb2.CHANNEL_EMAIL, contacts_pb2.CHANNEL_PHONE]
    assert (contact.name, contact.language, contact.time_zone) == ("Mas Budi", "id", "Asia/Jakarta")
    assert (contact.shop_name, contact.locale, contact.currency_code) == ("Toko Maju", "id-ID", "IDR")
    assert (getattr(contact.quiet_hours, "from").hours, contact.quiet_hours.to.hours) == (21, 8)


async def test_marketing_needs_consent_for_the_purpose_and_the_channel(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number), point("budi@toko.co.id"))
    (contact,) = await desk.reach(made.customer_id)
    assert (contact.refusal, contact.name, len(contact.allowed)) == (contacts_pb2.REFUSAL_NO_CONSENT, "", 0)
    await desk.consent(made.customer_id, address=number)
    (contact,) = await desk.reach(made.customer_id)
    assert [a.channel for a in contact.allowed] == [contacts_pb2.CHANNEL_PHONE]
    (contact,) = await desk.reach(made.customer_id, purpose=GREETING)
    assert contact.refusal == contacts_pb2.REFUSAL_NO_CONSENT


async def test_a_withdrawal_counts_at_once_also_against_contract(desk: Any, point: Any, number: str) -> None:
    made = await desk.create("Budi", point(number))
    await desk.consent(made.customer_id)
    await desk.consent(made.customer_id, state=contacts_pb2.CONSENT_STATE_WITHDRAWN)
    assert (await desk.reach(made.customer_id))[0].refusal == contacts_pb2.REFUSAL_NO_CONSENT
    await desk.consent(made.customer_id, state=contacts_pb2.CONSENT_STATE_WITHDRAWN, purpose=REMINDER)
    assert (await desk.reach(made.customer_id, purpose=REMINDER))[
        0
    ].refusal == contacts_pb2.REFUSAL_NO_CONSENT
    assert len((await desk.reach(made.customer_id, purpose=CONFIRMATION))[0].allowed) == 1


async def test_under_eighteen_only_a_guardian_consents(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    made = await desk.create("Dik Ani", point(number), birth_date=Date(year=2008, month=3, day=3))
    info = await refused(desk.contacts.SetConsent(desk.consenting(made.customer_id)))
    assert info.reason == "GUARDIAN_REQUIRED"
    await desk.consent(made.customer_id, by_guardian=True)
    assert len((await desk.reach(made.customer_id))[0].allowed) == 1


async def test_reading_the_age_for_a_consent_is_logged_and_done_only_for_it(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number), birth_date=Date(year=1990, month=3, day=3))
    logged = (
        "SELECT customer_ids, reason, staff_ref FROM access_log"
        " WHERE merchant_id = $1 AND action = 'SET_CONSENT'"
    )
    await desk.consent(made.customer_id, state=contacts_pb2.CONSENT_STATE_WITHDRAWN)
    await desk.consent(made.customer_id, by_guardian=True)
    assert await desk.vault.fetch(logged, desk.merchant) == []
    await desk.consent(made.customer_id)
    (row,) = await desk.vault.fetch(logged, desk.merchant)
    assert tuple(row) == ([made.customer_id], "CONSENT_AGE", "staff-9")


async def test_a_minors_own_consent_stops_counting_when_the_age_becomes_known(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Dik Ani", point(number))
    await desk.consent(made.customer_id)
    await desk.update(made.customer_id, birth_date=Date(year=2015, month=1, day=1))
    assert (await desk.reach(made.customer_id))[0].refusal == contacts_pb2.REFUSAL_NO_CONSENT


async def test_status_is_obeyed_at_once(desk: Any, point: Any, number: str) -> None:
    made = await desk.create("Budi", point(number))
    await desk.consent(made.customer_id)
    await desk.update(made.customer_id, status=profiles_pb2.CUSTOMER_STATUS_INACTIVE)
    assert (await desk.reach(made.customer_id))[0].refusal == contacts_pb2.REFUSAL_INACTIVE
    assert len((await desk.reach(made.customer_id, purpose=REMINDER))[0].allowed) == 1
    await desk.update(made.customer_id, status=profiles_pb2.CUSTOMER_STATUS_RESTRICTED)
    assert (await desk.reach(made.customer_id, purpose=REMINDER))[
        0
    ].refusal == contacts_pb2.REFUSAL_RESTRICTED
    await desk.run.pool.execute(
        "UPDATE customers SET status = 'ERASED' WHERE customer_id = $1", made.customer_id
    )
    assert (await desk.reach(made.customer_id, purpose=REMINDER))[0].refusal == contacts_pb2.REFUSAL_ERASED


async def test_a_list_is_answered_in_its_order_and_logged(desk: Any, point: Any, number: str) -> None:
    with_phone, without, unknown = (
        await desk.create("Budi", point(number)),
        await desk.create("Ani"),
        new_customer_id(),
    )
    asked = [unknown, with_phone.customer_id, without.customer_id]
    contacts = await desk.reach(*asked, purpose=CONFIRMATION)
    assert [c.customer_id for c in contacts] == asked
    refusals = [contacts_pb2.REFUSAL_UNKNOWN, 0, contacts_pb2.REFUSAL_NO_CONTACT_POINT]
    assert [c.refusal for c in contacts] == refusals
    row = await desk.vault.fetchrow(
        "SELECT * FROM access_log WHERE merchant_id = $1 AND action = 'GET_CONTACTS'", desk.merchant
    )
    assert set(row["customer_ids"]) == {with_phone.customer_id, without.customer_id}
    assert row["reason"] == "CONFIRMATION"


async def test_the_store_of_registration_speaks_with_its_name_zone_and_hours(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    hours = contacts_pb2.DailyHours(**{"from": {"hours": 22}, "to": {"hours": 6, "minutes": 30}})
    store = merchants_pb2.Store(
        store_id="pusat", name="Toko Maju Jayapura", time_zone="Asia/Jayapura", quiet_hours=hours
    )
    request = merchants_pb2.SetStoreRequest(request_id="0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b", store=store)
    await desk.merchants.SetStore(request)
    (contact,) = await desk.reach(made.customer_id, purpose=CONFIRMATION)
    assert (contact.shop_name, contact.time_zone) == ("Toko Maju Jayapura", "Asia/Jayapura")
    assert contact.quiet_hours == hours


async def test_evidence_is_appended_once_and_listed_newest_first(
    desk: Any, point: Any, refused: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    request = desk.consenting(made.customer_id, address=number)
    replies = await asyncio.gather(*(desk.contacts.SetConsent(request) for _ in range(16)))
    assert {r.consent.SerializeToString() for r in replies} == {replies[0].consent.SerializeToString()}
    consent = replies[0].consent
    assert (consent.consent_id, consent.address) == (request.request_id, "+62" + number[1:])
    assert (consent.notice_version, consent.notice_language, consent.evidence_ref) == (
        "2026-1",
        "id",
        "form-17",
    )
    assert (consent.method, consent.origin.staff_ref) == (contacts_pb2.CONSENT_METHOD_TILL_SCREEN, "staff-9")
    request.evidence_ref = "form-18"
    assert (await refused(desk.contacts.SetConsent(request))).reason == "IDEMPOTENCY_CONFLICT"
    for n in range(4):
        await desk.consent(made.customer_id, evidence_ref=f"form-{n}")
    listed, token = [], ""
    while True:
        page = await desk.contacts.ListConsents(
            contacts_pb2.ListConsentsRequest(customer_id=made.customer_id, page_size=2, page_token=token)
        )
        listed += [c.evidence_ref for c in page.consents]
        token = page.next_page_token
        if not token:
            break
    assert listed == ["form-3", "form-2", "form-1", "form-0", "form-17"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"address": "081299999999"}, "CONTACT_POINT_NOT_FOUND"),
    ({"address": "halo"}, "INVALID_PHONE"),
    ({"notice_language": "Bahasa"}, "INVALID_LANGUAGE"),
    ({"purpose": 0}, "INVALID_FIELDS"),
    ({"method": 99}, "INVALID_FIELDS"),
    ({"notice_version": ""}, "INVALID_FIELDS"),
    ({"evidence_ref": "4111111111111111"}, "PAN_NOT_ALLOWED"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD, ids=[b[1] + str(list(b[0])) for b in BAD])
async def test_unsound_evidence_is_refused_with_its_reason(
    desk: Any, point: Any, refused: Any, number: str, fields: dict[str, Any], reason: str
) -> None:
    made = await desk.create("Budi", point(number))
    assert (
        await refused(desk.contacts.SetConsent(desk.consenting(made.customer_id, **fields)))
    ).reason == reason
    assert await desk.count_vault("consents") == 0


async def test_consent_of_an_unknown_customer_is_refused(desk: Any, refused: Any) -> None:
    info = await refused(desk.contacts.SetConsent(desk.consenting(new_customer_id())))
    assert info.reason == "CUSTOMER_NOT_FOUND"
