"""The merchant and its stores over gRPC, and what other features read of them."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from customers.merchants.store import Shops
from kit.ids import new_uuid
from langganan.customers.v1 import contacts_pb2, merchants_pb2, merchants_pb2_grpc, profiles_pb2_grpc


def setting(**fields: Any) -> merchants_pb2.SetMerchantRequest:
    merchant = {"name": "Toko Maju", "currency_code": "IDR", "time_zone": "Asia/Jakarta", **fields}
    return merchants_pb2.SetMerchantRequest(
        request_id=new_uuid(), merchant=merchants_pb2.Merchant(**merchant)
    )


async def test_a_merchant_counts_in_whole_rupiah_unless_it_says_otherwise(desk: Any) -> None:
    merchant = (await desk.merchants.GetMerchant(merchants_pb2.GetMerchantRequest())).merchant
    assert (merchant.merchant_id, merchant.currency_code, merchant.minor_digits) == (desk.merchant, "IDR", 0)
    assert (merchant.locale, getattr(merchant.greeting_hours, "from").hours) == ("id-ID", 9)


async def test_the_currency_is_fixed_by_the_first_call(desk: Any, refused: Any) -> None:
    assert (
        await refused(desk.merchants.SetMerchant(setting(currency_code="USD")))
    ).reason == "CURRENCY_FIXED"
    assert (await refused(desk.merchants.SetMerchant(setting(minor_digits=2)))).reason == "CURRENCY_FIXED"
    after = await desk.set_merchant(name="Toko Makmur", time_zone="Asia/Makassar")
    assert (after.name, after.time_zone) == ("Toko Makmur", "Asia/Makassar")


async def test_setting_a_merchant_sixteen_times_sets_it_once(desk: Any, refused: Any) -> None:
    request = setting(name="Enam Belas")
    replies = await asyncio.gather(*(desk.merchants.SetMerchant(request) for _ in range(16)))
    assert {r.merchant.name for r in replies} == {"Enam Belas"}
    await desk.set_merchant(name="Sesudahnya")
    assert (await desk.merchants.SetMerchant(request)).merchant.name == "Sesudahnya", (
        "a repetition sets nothing"
    )
    request.merchant.name = "Lain"
    assert (await refused(desk.merchants.SetMerchant(request))).reason == "IDEMPOTENCY_CONFLICT"


async def test_two_first_calls_at_once_fix_one_currency(house: Any, refused: Any) -> None:
    stub: Any = house.run.stub(
        merchants_pb2_grpc.MerchantServiceStub, merchant=f"baru-{uuid.uuid4().hex[:8]}"
    )
    calls = [stub.SetMerchant(setting(currency_code=code)) for code in ("IDR", "USD") * 4]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    stayed = {o.merchant.currency_code for o in outcomes if not isinstance(o, BaseException)}
    assert len(stayed) == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"time_zone": "WIB"}, "INVALID_TIME_ZONE"),
    ({"currency_code": "ZZZ"}, "INVALID_CURRENCY"),
    ({"currency_code": "rupiah"}, "INVALID_FIELDS"),
    ({"locale": "indonesia"}, "INVALID_LOCALE"),
    ({"name": ""}, "INVALID_FIELDS"),
    ({"quiet_hours": contacts_pb2.DailyHours(**{"from": {"hours": 8}, "to": {"hours": 8}})}, "INVALID_HOURS"),
    (
        {"quiet_hours": contacts_pb2.DailyHours(**{"from": {"hours": 25}, "to": {"hours": 8}})},
        "INVALID_HOURS",
    ),
]


@pytest.mark.parametrize(("fields", "reason"), BAD, ids=[b[1] + str(list(b[0])) for b in BAD])
async def test_unbelievable_settings_are_refused(
    desk: Any, refused: Any, fields: dict[str, Any], reason: str
) -> None:
    assert (await refused(desk.merchants.SetMerchant(setting(**fields)))).reason == reason


async def test_nothing_is_answered_for_a_merchant_that_is_not_set(house: Any, refused: Any) -> None:
    stub: Any = house.run.stub(
        merchants_pb2_grpc.MerchantServiceStub, merchant=f"baru-{uuid.uuid4().hex[:8]}"
    )
    assert (await refused(stub.GetMerchant(merchants_pb2.GetMerchantRequest()))).reason == "MERCHANT_NOT_SET"
    store = merchants_pb2.Store(store_id="s1")
    request = merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store)
    assert (await refused(stub.SetStore(request))).reason == "MERCHANT_NOT_SET"


async def test_stores_are_listed_by_id_page_by_page(desk: Any, refused: Any) -> None:
    for n in (3, 1, 2):
        store = merchants_pb2.Store(
            store_id=f"s{n}", name=f"Cabang {n}", city="Solo", time_zone="Asia/Jayapura"
        )
        await desk.merchants.SetStore(merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store))
    first = await desk.merchants.ListStores(merchants_pb2.ListStoresRequest(page_size=2))
    assert [s.store_id for s in first.stores] == ["s1", "s2"]
    token = first.next_page_token
    rest = await desk.merchants.ListStores(merchants_pb2.ListStoresRequest(page_size=2, page_token=token))
    assert ([s.name for s in rest.stores], rest.next_page_token) == (["Cabang 3"], "")
    other = merchants_pb2.ListStoresRequest(page_token=token, self_registered_only=True)
    assert (await refused(desk.merchants.ListStores(other))).reason == "INVALID_PAGE_TOKEN"


async def test_setting_a_store_sixteen_times_sets_it_once(desk: Any, refused: Any) -> None:
    store = merchants_pb2.Store(store_id="s16", name="Enam Belas")
    request = merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store)
    replies = await asyncio.gather(*(desk.merchants.SetStore(request) for _ in range(16)))
    assert {r.store.name for r in replies} == {"Enam Belas"}
    assert await desk.count("stores") == 1
    request.store.name = "Lain"
    assert (await refused(desk.merchants.SetStore(request))).reason == "IDEMPOTENCY_CONFLICT"


async def test_an_unknown_store_registers_itself_with_the_merchants_zone_and_is_reported(desk: Any) -> None:
    shops, now = Shops(), desk.run.clock.now()
    keys = [(desk.merchant, "dikenal-till"), (desk.merchant, ""), ("nobody", "x")]
    async with desk.run.pool.acquire() as conn:
        found = await shops.read(conn, keys, now)
        again = await shops.read(conn, keys, now)
    assert found == again
    assert set(found) == set(keys[:2])
    shop = found[keys[0]]
    assert (shop.name, shop.time_zone, shop.currency.code) == ("Toko Maju", "Asia/Jakarta", "IDR")
    request = merchants_pb2.ListStoresRequest(self_registered_only=True)
    assert [s.store_id for s in (await desk.merchants.ListStores(request)).stores] == ["dikenal-till"]
    store = merchants_pb2.Store(store_id="dikenal-till", name="Cabang Baru")
    await desk.merchants.SetStore(merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store))
    assert list((await desk.merchants.ListStores(request)).stores) == []


async def test_a_store_whose_registration_rolled_back_registers_again(desk: Any) -> None:
    shops, now, key = Shops(), desk.run.clock.now(), (desk.merchant, "batal")
    for _ in range(2):
        async with desk.run.pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            await shops.read(conn, [key], now)
            assert await conn.fetchval("SELECT count(*) FROM stores WHERE store_id = 'batal'") == 1
            await transaction.rollback()


async def test_another_merchants_stores_are_not_seen(desk: Any, neighbour: Any) -> None:
    store = merchants_pb2.Store(store_id="rahasia")
    await desk.merchants.SetStore(merchants_pb2.SetStoreRequest(request_id=new_uuid(), store=store))
    reply = await neighbour.merchants.ListStores(merchants_pb2.ListStoresRequest())
    assert list(reply.stores) == []


async def test_without_a_merchant_nobody_is_registered(desk: Any, refused: Any) -> None:
    stub = desk.run.stub(profiles_pb2_grpc.CustomerServiceStub, merchant="never-set-" + new_uuid()[:8])
    assert (await refused(stub.CreateCustomer(desk.creation("Budi")))).reason == "MERCHANT_NOT_SET"
