"""Birthdays are found by blind index, told of active persons alone, and logged before they are told."""

from __future__ import annotations

from typing import Any

import pytest
from google.type.date_pb2 import Date

from kit.ids import new_customer_id, new_uuid
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2


async def listed(desk: Any, month: int, day: int) -> list[list[contacts_pb2.Birthday]]:
    """The batches of a day."""
    request = contacts_pb2.ListBirthdaysRequest(month=month, day=day)
    return [list(answer.birthdays) async for answer in desk.contacts.ListBirthdays(request)]


async def ids(desk: Any, month: int, day: int) -> set[str]:
    return {b.customer_id for batch in await listed(desk, month, day) for b in batch}


async def test_only_those_of_the_day_are_told_whatever_their_year(desk: Any, neighbour: Any) -> None:
    one = await desk.create("Ani", birth_date=Date(year=1990, month=5, day=17))
    two = await desk.create("Budi", birth_date=Date(month=5, day=17))
    await desk.create("Citra", birth_date=Date(year=1990, month=5, day=18))
    await desk.create("Dewi")
    await neighbour.create("Eka", birth_date=Date(year=1990, month=5, day=17))
    ((first, second),) = await listed(desk, 5, 17)
    assert {first.customer_id, second.customer_id} == {one.customer_id, two.customer_id}
    assert (first.month, first.day, first.time_zone) == (5, 17, "Asia/Jakarta")
    assert await listed(desk, 5, 19) == []


async def test_who_is_born_on_29_february_is_told_under_that_day_alone(desk: Any) -> None:
    made = await desk.create("Ani", birth_date=Date(year=2000, month=2, day=29))
    assert await ids(desk, 2, 29) == {made.customer_id}
    assert await ids(desk, 2, 28) == await ids(desk, 3, 1) == set()


async def test_a_corrected_date_counts_at_once(desk: Any) -> None:
    made = await desk.create("Ani", birth_date=Date(year=1990, month=5, day=17))
    await desk.update(made.customer_id, birth_date=Date(year=1990, month=6, day=17))
    assert (await ids(desk, 5, 17), await ids(desk, 6, 17)) == (set(), {made.customer_id})


async def test_the_customers_zone_counts_else_the_home_stores(desk: Any) -> None:
    store = merchants_pb2.Store(store_id="pusat", time_zone="Asia/Makassar")
    await desk.merchants.SetStore(merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store))
    born = Date(year=1990, month=5, day=17)
    stores = await desk.create("Ani", birth_date=born)
    own = await desk.create("Budi", birth_date=born, time_zone="Asia/Jayapura")
    ((*found,),) = await listed(desk, 5, 17)
    zones = {one.customer_id: one.time_zone for one in found}
    assert zones == {stores.customer_id: "Asia/Makassar", own.customer_id: "Asia/Jayapura"}


@pytest.mark.parametrize(
    "status", [profiles_pb2.CUSTOMER_STATUS_INACTIVE, profiles_pb2.CUSTOMER_STATUS_RESTRICTED]
)
async def test_who_may_not_be_greeted_is_not_told(desk: Any, status: Any) -> None:
    born = Date(year=1990, month=5, day=17)
    made = await desk.create("Ani", birth_date=born)
    await desk.create("PT Maju", birth_date=born, kind=profiles_pb2.CUSTOMER_KIND_ORGANISATION)
    assert await ids(desk, 5, 17) == {made.customer_id}
    await desk.update(made.customer_id, status=status)
    assert await listed(desk, 5, 17) == []


async def test_a_crowd_is_told_in_batches_each_logged_before_it_is_told(desk: Any) -> None:
    born = Date(year=1990, month=5, day=17)
    first = await desk.create("Ani", birth_date=born)
    crowd = [new_customer_id() for _ in range(404)]
    for table, pool in (("customers", desk.run.pool), ("search_index", desk.vault)):
        columns = await pool.fetchval(
            "SELECT string_agg(quote_ident(column_name), ',') FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = $1 AND column_name <> 'customer_id'",
            table,
        )
        await pool.execute(
            f"INSERT INTO {table} (customer_id, {columns}) SELECT w.id, {columns} FROM {table}, "
            "unnest($1::text[]) AS w (id) WHERE merchant_id = $2 AND customer_id = $3",
            crowd,
            desk.merchant,
            first.customer_id,
        )
    logged = await desk.count_vault("access_log")
    batches = await listed(desk, 5, 17)
    assert [len(batch) for batch in batches] == [200, 200, 5]
    assert {b.customer_id for batch in batches for b in batch} == {first.customer_id, *crowd}
    rows = await desk.vault.fetch(
        "SELECT action, reason, subject, cardinality(customer_ids) AS many FROM access_log "
        "WHERE merchant_id = $1 AND action = 'LIST_BIRTHDAYS'",
        desk.merchant,
    )
    assert sorted(row["many"] for row in rows) == [5, 200, 200]
    assert {(row["reason"], row["subject"]) for row in rows} == {("GREETING", "till-1")}
    assert await desk.count_vault("access_log") == logged + 3


async def test_a_day_that_no_year_has_is_refused(desk: Any, refused: Any) -> None:
    info = await refused(
        desk.contacts.ListBirthdays(contacts_pb2.ListBirthdaysRequest(month=2, day=30)).read()
    )
    assert info.reason == "INVALID_DATE"


async def test_membership_needs_no_consent_and_obeys_a_withdrawal(desk: Any, point: Any, number: str) -> None:
    membership = contacts_pb2.PURPOSE_MEMBERSHIP
    made = await desk.create("Budi", point(number))
    assert len((await desk.reach(made.customer_id, purpose=membership))[0].allowed) == 1
    await desk.consent(made.customer_id, purpose=membership, state=contacts_pb2.CONSENT_STATE_WITHDRAWN)
    (contact,) = await desk.reach(made.customer_id, purpose=membership)
    assert contact.refusal == contacts_pb2.REFUSAL_NO_CONSENT
