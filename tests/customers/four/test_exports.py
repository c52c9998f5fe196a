"""A person's export holds all that the four services keep of them, in clear, and nothing of anybody else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

import credit.exports.tables
import customers.exports.tables
import loyalty.exports.tables
import notify.exports.tables
from customers.exports.others import Others
from customers.peers import PeerUnavailable, open_peers
from kit.ids import new_uuid
from langganan.customers.v1 import contacts_pb2, erasures_pb2, exports_pb2
from langganan.types.v1.origin_pb2 import Origin

ORIGIN = Origin(store_id="pusat", register_id="r7", staff_ref="staff-1")
Found = dict[str, list[Any]]


async def export(shop: Any, customer_id: str, **fields: Any) -> Found:
    """All records of an export by "service.kind"."""
    request = exports_pb2.ExportCustomerRequest(
        customer_id=customer_id, origin=ORIGIN, reason="ASKED_BY_LETTER", **fields
    )
    found: Found = {}
    async for answer in shop.profiles.ExportCustomer(request):
        assert answer.records
        for record in answer.records:
            found.setdefault(f"{record.service}.{record.kind}", []).append(json.loads(record.json))
    return found


async def a_life(shop: Any, name: str, phone: str) -> str:
    """A customer with something of everything."""
    customer_id: str = await shop.customer(name, phone, notes="alergi udang", member_codes=[phone])
    await shop.consent(customer_id, phone, contacts_pb2.PURPOSE_MARKETING)
    await shop.sale(customer_id)
    bought = await shop.sale(customer_id, 70_000, on_account=True)
    await shop.four.carry()
    await shop.a_return(bought, customer_id)
    await shop.four.carry()
    return customer_id


async def test_an_export_holds_every_row_that_is_kept_of_the_customer(shop: Any) -> None:
    other = await a_life(shop, "Ani Lestari", "081200000001")
    customer_id = await a_life(shop, "Budi Santoso", "081200000002")
    found = await export(shop, customer_id)
    (profile,) = found["customers.profile"]
    assert (profile["full_name"], profile["notes"]) == ("Budi Santoso", "alergi udang")
    assert profile["contact_points"][0]["address"] == "+6281200000002"
    assert [c["address"] for c in found["customers.consents"]] == ["+6281200000002"]
    assert [p["body"]["lines"][0]["name"] for p in found["customers.purchases"]] == ["Beras 5 kg"] * 2
    assert found["customers.purchase_returns"][0]["body"]["reason"] == "RETURN"
    assert Counter(e["kind"] for e in found["loyalty.entries"]) == {"EARN": 2, "TAKE_BACK": 1}
    assert [i["amount"] for i in found["credit.invoices"]] == [70_000]
    assert found["credit.holds"][0]["origin"]["store_id"] == "pusat"
    assert found["notify.messages"], "confirmations"
    text = json.dumps(found)
    assert other not in text
    assert "Ani" not in text
    assert "fingerprint" not in text
    four = shop.four
    for service, tables in everywhere():
        pool = getattr(four, service).pool
        for table in tables:
            kept = await pool.fetchval(
                f"SELECT count(*) FROM {table.name} AS t WHERE t.merchant_id = $1 AND {table.whose}",
                shop.merchant, customer_id,
            )  # fmt: skip
            assert len(found.get(f"{service}.{table.name}", [])) == kept, table.name


def everywhere() -> list[tuple[str, Any]]:
    return [
        ("customers", customers.exports.tables.TABLES),
        ("loyalty", loyalty.exports.tables.TABLES),
        ("credit", credit.exports.tables.TABLES),
        ("notify", notify.exports.tables.TABLES),
    ]


async def test_no_table_with_a_customers_rows_is_forgotten(four: Any) -> None:
    own = customers.exports.tables
    databases = [(four.vault, own.OPENED | own.TECHNICAL | {own.ACCESS_LOG.name})]
    for service, tables in everywhere():
        technical = __import__(f"{service}.exports.tables", fromlist=["TECHNICAL"]).TECHNICAL
        databases.append((getattr(four, service).pool, {t.name for t in tables} | technical))
    for pool, named in databases:
        rows = await pool.fetch(
            "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name IN ('customer_id', 'customer_ids', 'purchase_id')"
        )
        assert rows
        missing = {r["table_name"] for r in rows} - named
        assert not missing, f"export these tables, or say that they are mechanism: {missing}"


async def test_years_of_entries_come_whole_and_in_order(shop: Any) -> None:
    customer_id = await a_life(shop, "Budi", "081200000003")
    await shop.four.loyalty.pool.execute(
        "INSERT INTO entries (merchant_id, customer_id, entry_no, kind, points, balance_after, cause,"
        " cause_id, effective_at) SELECT $1, $2, n, 'ADJUST', 1, n, 'ADJUSTMENT', n::text, now()"
        " FROM generate_series(1000, 1999) AS n",
        shop.merchant,
        customer_id,
    )
    numbers = [e["entry_no"] for e in (await export(shop, customer_id))["loyalty.entries"]]
    assert numbers == [1, 2, 3, *range(1000, 2000)]


async def test_an_export_is_in_the_access_log_before_its_first_answer_and_shows_the_log(shop: Any) -> None:
    customer_id = await a_life(shop, "Budi", "081200000004")
    found = await export(shop, customer_id)
    log = found["customers.access_log"]
    assert [(e["subject"], e["staff_ref"], e["reason"]) for e in log if e["action"] == "EXPORT"] == [
        ("till-1", "staff-1", "ASKED_BY_LETTER")
    ]
    assert {e["action"] for e in log} >= {"CREATE", "EXPORT", "SET_CONSENT"}
    assert all("customer_ids" not in e for e in log), "whom else a batch was about is theirs"


async def test_an_export_without_one_of_the_services_fails_whole(shop: Any) -> None:
    settings = shop.four.settings.model_copy(update={"credit_target": "127.0.0.1:9"})
    peers = open_peers(settings)
    others = Others(peers, 1.0)
    customer_id = await a_life(shop, "Budi", "081200000005")
    stream = others.batches(shop.merchant, customer_id)
    assert (await anext(stream))[0] == "loyalty"
    with pytest.raises(PeerUnavailable) as failed:
        await drained(stream)
    assert failed.value.metadata == {"peer": "credit"}
    for peer in peers.values():
        await peer.close()


async def test_of_an_erased_customer_the_books_are_exported(shop: Any) -> None:
    customer_id: str = await shop.customer("Budi Santoso", "081200000006")
    await shop.consent(customer_id, "081200000006", contacts_pb2.PURPOSE_GREETING)
    await shop.sale(customer_id)
    await shop.four.carry()
    request = erasures_pb2.EraseCustomerRequest(request_id=new_uuid(), customer_id=customer_id)
    assert (await shop.profiles.EraseCustomer(request)).state == erasures_pb2.ERASURE_STATE_ERASED
    await shop.four.carry()
    found = await export(shop, customer_id)
    assert "Budi" not in json.dumps(found)
    assert "81200000006" not in json.dumps(found)
    assert found["customers.erasures"][0]["state"] == "ERASED"
    assert [c["purpose"] for c in found["customers.consents"]] == ["GREETING"]
    assert len(found["customers.purchases"]) == 1
    assert found["loyalty.accounts"][0]["erased_at"]
    assert found["credit.accounts"][0]["erased_at"]
    assert found["notify.recipients"][0]["erased_at"]


async def test_of_nobody_nothing_is_exported(shop: Any) -> None:
    stream = shop.profiles.ExportCustomer(exports_pb2.ExportCustomerRequest(customer_id="0000000000000"))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await drained(stream)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


async def drained(stream: AsyncIterator[Any]) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass
