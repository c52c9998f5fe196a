"""What a crash between vault and customers leaves, and that nothing that names a person leaves the vault."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.type.date_pb2 import Date

import customers
from customers import metrics
from kit.events import Outgoing
from kit.logs import scrub
from langganan.events.v1 import loyalty_pb2


async def test_a_registration_that_died_in_between_is_nobody_and_is_withdrawn(
    house: Any, desk: Any, point: Any, number: str, sweep: Any, dying: Any
) -> None:
    await dying(desk.creation("Budi", point(number)))
    assert await desk.count_vault("people") == 1
    assert await desk.identify(phone=number) == [], "a customer exists when the second step is there"
    assert await sweep() >= 1
    tables = (
        "people",
        "sealed_fields",
        "contact_points",
        "contact_index",
        "search_index",
        "requests",
        "pending",
    )
    assert [await desk.count_vault(t) for t in tables] == [0] * len(tables)
    await desk.create("Ani", point(number))


async def test_a_take_over_that_came_to_nothing_gives_the_address_back(
    desk: Any, point: Any, number: str, sweep: Any, dying: Any
) -> None:
    old = await desk.create("Budi", point(number), point("budi@toko.co.id"))
    await desk.consent(old.customer_id, address=number)
    await dying(desk.creation("Ani", point(number), take_over=True))
    assert await desk.identify(phone=number) == [], "neither the old holder nor the new one, for a while"
    while await sweep():
        pass
    assert [m.customer_id for m in await desk.identify(phone=number)] == [old.customer_id]
    (contact,) = await desk.reach(old.customer_id)
    assert [a.address for a in contact.allowed] == ["+62" + number[1:]], "and so does the consent"
    after = await desk.get(old.customer_id)
    assert list(after.contact_points) == list(old.contact_points)
    assert [f.revision for f in await desk.facts(old.customer_id)] == [1, 2, 3]
    assert [await desk.count_vault(t) for t in ("people", "pending", "contact_index")] == [1, 0, 2]


async def test_an_address_that_a_third_took_from_a_take_over_that_died_stays_the_thirds(
    desk: Any, point: Any, number: str, sweep: Any, dying: Any
) -> None:
    old = await desk.create("Budi", point(number))
    await dying(desk.creation("Ani", point(number), take_over=True))
    third = await desk.create("Cici", point(number), take_over=True)
    while await sweep():
        pass
    assert [m.customer_id for m in await desk.identify(phone=number)] == [third.customer_id]
    assert (await desk.get(old.customer_id)).contact_points[0].HasField("valid_to")
    assert await desk.count_vault("people") == 3, "whoever takes over completes what is pending"


async def test_a_registration_that_died_in_between_is_completed_by_the_same_request(
    house: Any, desk: Any, point: Any, number: str, sweep: Any, dying: Any
) -> None:
    request = desk.creation("Budi", point(number))
    await dying(request)
    made = (await desk.customers.CreateCustomer(request)).customer
    assert [m.customer_id for m in await desk.identify(phone=number)] == [made.customer_id]
    await sweep()
    assert (await desk.get(made.customer_id)).full_name == "Budi"
    assert len(await desk.facts(made.customer_id)) == 1


async def test_a_registration_that_died_after_the_second_step_stays_and_is_settled(
    house: Any, desk: Any, point: Any, number: str, sweep: Any
) -> None:
    made = await desk.create("Budi", point(number))
    change = '{"at": "2026-03-02T05:00:00+00:00", "create": {}, "codes": []}'
    await desk.vault.execute(
        "INSERT INTO pending (merchant_id, customer_id, version, change) VALUES ($1, $2, 1, $3)",
        desk.merchant, made.customer_id, change,
    )  # fmt: skip
    assert await sweep() >= 1
    assert await desk.count_vault("pending") == 0
    assert (await desk.get(made.customer_id)).full_name == "Budi"
    assert len(await desk.facts(made.customer_id)) == 1


async def test_an_update_that_died_in_between_is_completed_by_the_sweep(
    house: Any, desk: Any, point: Any, number: str, sweep: Any, dying: Any
) -> None:
    made = await desk.create("Budi", point(number))
    await dying(desk.change(made.customer_id, city="Solo", notes="x"))
    assert (await desk.get(made.customer_id)).city == ""
    assert await sweep() >= 1
    after = await desk.get(made.customer_id)
    assert (after.city, after.notes, after.etag) == ("Solo", "x", "2")
    assert [f.revision for f in await desk.facts(made.customer_id)] == [1, 2]
    assert await desk.count_vault("pending") == 0


async def test_an_update_whose_predecessor_somebody_else_holds_waits_for_it(
    house: Any, desk: Any, sweep: Any, dying: Any
) -> None:
    made = await desk.create("Budi")
    await dying(desk.change(made.customer_id, city="Solo"))
    await dying(desk.change(made.customer_id, province="Jawa Tengah"))
    await house.vault.execute("UPDATE pending SET made_at = made_at - interval '1 hour'")
    async with house.vault.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(
            "SELECT 1 FROM pending WHERE customer_id = $1 AND version = 2 FOR UPDATE", made.customer_id
        )
        await sweep()
        assert [f.revision for f in await desk.facts(made.customer_id)] == [1]
        await transaction.rollback()
    await sweep()
    assert metrics.VAULT_AGE._value.get() >= 3_600, "half done until this look"
    await sweep()
    assert metrics.VAULT_AGE._value.get() == 0
    after = await desk.get(made.customer_id)
    assert (after.city, after.province) == ("Solo", "Jawa Tengah")
    assert [f.revision for f in await desk.facts(made.customer_id)] == [1, 2, 3]


async def test_the_next_update_completes_the_one_that_died(house: Any, desk: Any, dying: Any) -> None:
    made = await desk.create("Budi")
    await dying(desk.change(made.customer_id, city="Solo"))
    after = await desk.update(made.customer_id, province="Jawa Tengah")
    assert (after.city, after.province, after.etag) == ("Solo", "Jawa Tengah", "3")
    assert [f.revision for f in await desk.facts(made.customer_id)] == [1, 2, 3]


async def test_sweeps_and_requests_at_once_do_it_once(house: Any, desk: Any, sweep: Any, dying: Any) -> None:
    made = await desk.create("Budi")
    request = desk.change(made.customer_id, city="Solo")
    await dying(request)
    await asyncio.gather(
        *(sweep() for _ in range(3)), *(desk.customers.UpdateCustomer(request) for _ in range(8))
    )
    assert [f.revision for f in await desk.facts(made.customer_id)] == [1, 2]


SECRETS = (
    "Srikandi",
    "Kartolo",
    "nama.unik@toko.co.id",
    "Melati 5x",
    "40999",
    "alergi udang",
    "1988",
    "0223",
)


async def test_nothing_that_names_a_person_lies_outside_the_vault_or_readable_in_it(
    house: Any, desk: Any, point: Any, number: str
) -> None:
    made = await desk.create(
        "Srikandi Kartolo", point(number), point("nama.unik@toko.co.id"), nickname="Kartolo",
        birth_date=Date(year=1988, month=2, day=23), address="Jl. Melati 5x", postal_code="40999",
        notes="alergi udang", member_codes=["SK-0001"],
    )  # fmt: skip
    await desk.update(made.customer_id, notes="alergi udang dan kepiting")
    await desk.consent(made.customer_id, address=number)
    await desk.identify(phone=number)
    secrets = [*SECRETS, number[1:], "kepiting"]
    for pool in (house.run.pool, house.vault):
        dump = await dump_of(pool, desk.merchant)
        assert made.customer_id in dump
        found = [s for s in secrets if s in dump or s.encode().hex() in dump]
        assert not found


async def dump_of(pool: Any, merchant: str) -> str:
    """Every row of the merchant in every table, bytes in hex, without ids and times (random digits)."""
    tables = await pool.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'merchant_id'"
    )
    assert len(tables) > 5
    texts = []
    for table in tables:
        rows = await pool.fetch(f'SELECT t::text FROM "{table[0]}" AS t WHERE merchant_id = $1', merchant)
        texts += [
            re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*", "", row[0]) for row in rows
        ]
    return "\n".join(re.sub(r"\\\\x([0-9a-f]{56,})", lambda m: readable(m.group(1)), t) for t in texts)


def readable(text: str) -> str:
    """Bytes as text where they are text: random bytes would match short digits by chance."""
    raw = bytes.fromhex(text)
    return text if any(s.encode() in raw for s in SECRETS[:6]) else ""


async def test_what_is_sealed_opens_only_in_its_own_place(
    house: Any, desk: Any, point: Any, number: str
) -> None:
    first, second = await desk.create("Budi", notes="satu"), await desk.create("Ani", notes="dua")
    await desk.vault.execute(
        "UPDATE sealed_fields AS a SET sealed = b.sealed FROM sealed_fields AS b"
        " WHERE a.customer_id = $1 AND b.customer_id = $2 AND a.field = 'notes' AND b.field = 'notes'",
        first.customer_id, second.customer_id,
    )  # fmt: skip
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await desk.get(first.customer_id)
    assert caught.value.code() == grpc.StatusCode.INTERNAL


async def test_errors_and_logs_repeat_no_address(
    desk: Any, point: Any, capsys: pytest.CaptureFixture[str], refused: Any
) -> None:
    for address in ("budi.rahasia@@toko", "0812-rahasia"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await desk.create("Budi", point(address))
        assert "rahasia" not in str(caught.value)
    captured = capsys.readouterr()
    assert "rahasia" not in captured.out + captured.err
    assert scrub("mail budi@toko.co.id or 0812 3456 7890") == "mail [email] or [phone]"


def tier(merchant: str, customer_id: str, name: str, revision: int, now: Any) -> Outgoing:
    payload = loyalty_pb2.TierChanged(
        merchant_id=merchant, customer_id=customer_id, to_tier=name, revision=revision, cause="PLUGIN"
    )
    return Outgoing("tier-changed", merchant, customer_id, payload, now)


async def test_the_tier_of_loyalty_becomes_the_category_and_late_words_change_nothing(
    desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    now = desk.run.clock.now()
    vip, regular = (tier(desk.merchant, made.customer_id, n, r, now) for n, r in (("VIP", 2), ("Regular", 1)))
    await desk.run.deliver(vip, topic="loyalty")
    await desk.run.deliver(
        regular, vip, replace(vip, id="0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"), topic="loyalty"
    )
    (match,) = await desk.identify(phone=number)
    assert match.category == "VIP"
    after = await desk.get(made.customer_id)
    assert (after.category, after.etag) == ("VIP", made.etag)


async def test_a_tier_of_somebody_unknown_waits_and_delays_nobody_else(desk: Any) -> None:
    made = await desk.create("Budi")
    now = desk.run.clock.now()
    await desk.run.deliver(
        tier(desk.merchant, "unknown", "VIP", 1, now), tier(desk.merchant, made.customer_id, "VIP", 1, now),
        topic="loyalty",
    )  # fmt: skip
    assert (await desk.get(made.customer_id)).category == "VIP"
    rows = await desk.run.pool.fetch("SELECT status FROM parked_events WHERE merchant_id = $1", desk.merchant)
    assert [r["status"] for r in rows] == ["NOT_YET"]


async def test_no_transaction_of_one_database_waits_for_a_connection_of_the_other(
    house: Any, desk: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    await desk.run.pool.fetchval("SELECT 1")
    size = desk.run.pool.get_max_size()
    taken = [await desk.run.pool.acquire(timeout=5) for _ in range(size)]
    try:
        asked = [
            asyncio.create_task(desk.identify(phone=number)),
            asyncio.create_task(desk.reach(made.customer_id)),
        ]
        _, waiting = await asyncio.wait(asked, timeout=0.3)
        assert len(waiting) == 2, "both need the customers database"
        open_ = await house.vault.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
        assert open_ == 0
    finally:
        for conn in taken:
            await desk.run.pool.release(conn)
    found, (contact,) = await asyncio.gather(*asked)
    assert found[0].customer_id == contact.customer_id == made.customer_id


def test_every_wait_for_a_connection_ends() -> None:
    folder = Path(str(customers.__file__)).parent
    endless = [str(f) for f in folder.rglob("*.py") if ".acquire()" in f.read_text()]
    assert endless == []
