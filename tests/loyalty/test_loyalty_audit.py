"""The audit passes healthy books, however they came to be, and names whatever was tampered with."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import loyalty
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from loyalty.audit.checks import AUDIT
from tests.loyalty.facts import NOON

MIGRATIONS = Path(loyalty.__file__).parent / "migrations"


@dataclass
class Books:
    """One customer with one of everything.

    Of 100 points given 30 were used in a sale that earned 20; a fifth of it came back. Of the 16 points left
    of those that were earned a reservation holds 7, and 9 expired.
    """

    customer: str
    purchase: str
    back: str
    reservation: str


async def books_of(loyalty) -> Books:
    customer = await loyalty.customer()
    await loyalty.given(customer, 100)
    held = (await loyalty.reserve(customer, 30)).reservation_id
    sale = loyalty.sale(customer, [20_300], points=[(300, held)])
    await loyalty.deliver(sale)
    back = loyalty.returned(sale, [("1", 4_060, 20_300)], points=[("p1", 60, 300)])
    await loyalty.deliver(back)
    await loyalty.reserve(customer, 7)
    return Books(customer, sale.payload.purchase_id, back.payload.return_id, held)


@pytest.fixture(scope="module")
async def two(own_service) -> AsyncIterator[tuple[Any, Books]]:
    """Two customers with one of everything, and the second one's books."""
    async with own_service() as loyalty:
        await books_of(loyalty)
        books = await books_of(loyalty)
        await loyalty.wake(NOON + timedelta(days=40))
        yield loyalty, books


async def audited(loyalty):
    return await run_audit(loyalty.run.pool, AUDIT)


async def test_books_with_one_of_everything_pass(timed):
    books = await books_of(timed)
    assert await timed.entries(books.customer) == [
        ("ADJUST", 100, ""), ("REDEEM", -30, "p1"), ("EARN", 20, ""), ("TAKE_BACK", -4, "1"),
        ("RESTORE", 6, "p1"),
    ]  # fmt: skip
    await timed.wake(NOON + timedelta(days=40))
    assert (await timed.entries(books.customer))[5:] == [("EXPIRE", -9, "2026-04-11")]
    outcome = await audited(timed)
    assert (outcome.looked_at, outcome.first) == (1, [])


SALE = "tender p1 of purchase {purchase}"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "update accounts set in_lots = in_lots + 1",
            ["accounts: balance, by the entries: 83, not 84", "accounts: in_lots, by the lots: 83, not 84"],
        ),
        (
            "update accounts set reserved = 8",
            ["accounts: reserved, by the held reservations: 7, not 8"],
        ),
        (
            "update accounts set in_lots = 7, negative = 5, reserved = 7",
            [
                "accounts: balance, by the entries: 83, not 2",
                "accounts: in_lots, by the lots: 83, not 7",
                "accounts: negative, by lots and entries: 0, not 5",
            ],
        ),
        ("update accounts set last_entry = 9", ["accounts: last_entry, by the entries: 6, not 9"]),
        (
            "update reservations set points = 6 where state = 'HELD'",
            ["accounts: reserved, by the held reservations: 6, not 7"],
        ),
        (
            "update entries set balance_after = 91 where kind = 'EARN'",
            [
                "entries: balance_after entry 3: 90, not 91",
                "entries: balance_after entry 4: 87, not 86",
            ],
        ),
        (
            "update entries set points = points + 1, balance_after = balance_after + 1 where kind = 'EXPIRE'",
            [
                "accounts: balance, by the entries: 84, not 83",
                "accounts: negative, by lots and entries: -1, not 0",
            ],
        ),
        (
            "update lots set points = 21 where entry_no = 3",
            ["lots: points of lot 3: 20, not 21"],
        ),
        (
            "update lots set points_left = 3 where entry_no = 3",
            [
                "accounts: in_lots, by the lots: 79, not 83",
                "accounts: negative, by lots and entries: -4, not 0",
            ],
        ),
        (
            "update lots set points_left = 12 where entry_no = 3",
            [
                "accounts: in_lots, by the lots: 88, not 83",
                "accounts: negative, by lots and entries: 5, not 0",
                "lots: points_left of lot 3: at most 11, not 12",
            ],
        ),
        (
            "delete from lots where entry_no = 3",
            [
                "accounts: in_lots, by the lots: 76, not 83",
                "accounts: negative, by lots and entries: -7, not 0",
                "lots: lot 3: a lot, not none",
            ],
        ),
        (
            "update purchases set points = 21",
            ["purchases: points of purchase {purchase}: 20, not 21"],
        ),
        (
            """update purchases set line_points = '{{"1": 15}}'""",
            ["purchases: points left of the lines of purchase {purchase}: 16, not 15"],
        ),
        (
            "update purchases set spared = 1",
            [
                "purchases: spared points of purchase {purchase}: 0, not 1",
            ],
        ),
        (
            "update purchases set spared = 10",
            [
                "purchases: spared points of purchase {purchase}: 0, not 10",
                "purchases: spared points of purchase {purchase}: at most 9, not 10",
            ],
        ),
        ("delete from purchases", ["purchases: purchase {purchase}: one that earned 20, not none"]),
        ("update returns set taken_back = 5", ["returns: taken_back of return {back}: 4, not 5"]),
        ("update returns set restored = 5", ["returns: restored of return {back}: 6, not 5"]),
        (
            "update redemptions set points = 31",
            [
                f"redemptions: points of {SALE}: 30, not 31",
                "reservations: points_redeemed of reservation {reservation}: "
                "points of a tender of purchase {purchase}, not 30",
            ],
        ),
        (
            "delete from returns",
            ["returns: return {back}: a return, not none"],
        ),
        (
            "delete from redemptions",
            [
                f"redemptions: redemption by {SALE}: one of 30, not none",
                "reservations: points_redeemed of reservation {reservation}: "
                "points of a tender of purchase {purchase}, not 30",
            ],
        ),
        (
            "update redemptions set points_left = 25",
            [
                f"redemptions: points of the sources of {SALE}: 25, not 24",
                f"redemptions: points_left of {SALE}: 24, not 25",
            ],
        ),
        (
            "update redemptions set sources = '[[1, 23, null]]'",
            [f"redemptions: points of the sources of {SALE}: 24, not 23"],
        ),
        (
            "update reservations set points_redeemed = 29 where state = 'REDEEMED'",
            [
                "reservations: points_redeemed of reservation {reservation}: "
                "points of a tender of purchase {purchase}, not 29",
            ],
        ),
        (
            "update entries set program_version = 9 where kind = 'REDEEM'",
            ["programs: program of entry 2: version 9, not none"],
        ),
        (
            "update purchases set program_version = 8",
            ["programs: program of purchase {purchase}: version 8, not none"],
        ),
        (
            "update reservations set program_version = 7 where state = 'REDEEMED'",
            ["programs: program of reservation {reservation}: version 7, not none"],
        ),
        ("update accounts set tier = 'VIP'", ["tiers: tier, by its last change: New, not VIP"]),
        ("update accounts set tier_revision = 2", ["tiers: tier_revision, by its last change: 1, not 2"]),
        (
            "update accounts set tier_since = '2026-03-01T05:00:00Z'",
            ["tiers: tier_since, by its last change: 2026-03-02 05:00:00+00, not 2026-03-01 05:00:00+00"],
        ),
        (
            "update tier_changes set from_tier = 'VIP'",
            ["tiers: from_tier of revision 1: , not VIP"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_was_tampered_with_in_the_points_is_found_and_named_with_its_figure(two, sql, expected):
    loyalty, books = two
    text = sql.format(**vars(books))
    theirs = f"{text}{' and' if ' where ' in text else ' where'} customer_id = '{books.customer}'"
    async with loyalty.run.pool.acquire() as conn:
        tampered = conn.transaction()
        await tampered.start()
        assert await conn.execute(theirs) in ("UPDATE 1", "DELETE 1")
        keys = await AUDIT.read_page(conn, ("", ""), 200)
        found = [difference for check in AUDIT.checks for difference in await check(conn, keys)]
        await tampered.rollback()
    said = [f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in found]
    assert sorted(said) == [line.format(**vars(books)) for line in expected]
    assert {(d.merchant_id, d.customer_id) for d in found} == {(loyalty.merchant, books.customer)}
    assert len(keys) == 2


async def a_merged_sale(loyalty):
    """A sale whose lot expired but for what was reserved, moved twice, and expired wholly with the last."""
    absorbed, survivor, last = [await loyalty.customer() for _ in range(3)]
    sale = loyalty.sale(absorbed, [20_000])
    await loyalty.deliver(sale)
    held = (await loyalty.reserve(absorbed, 7)).reservation_id
    await loyalty.wake(NOON + timedelta(days=40))
    await loyalty.deliver(loyalty.merged(absorbed, survivor, at=NOON + timedelta(days=40)))
    await loyalty.deliver(loyalty.merged(survivor, last, at=NOON + timedelta(days=40)))
    await loyalty.release(last, held)
    await loyalty.wake(NOON + timedelta(days=41))
    assert [points for _, points, _ in await loyalty.entries(last)] == [7, -7]
    return sale


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("entry_no = entry_no + 1", "lot of purchase {purchase}: 1, not 2"),
        ("expired = expired - 1", "expired points of purchase {purchase}: 13, not 12"),
    ],
)
async def test_a_merged_customers_purchase_names_its_lot_and_what_expired_before(timed, sql, expected):
    sale = await a_merged_sale(timed)
    assert (await audited(timed)).first == []
    await timed.run.pool.execute(f"update purchases set {sql}")
    (found,) = (await audited(timed)).first
    said = f"{found.what}: {found.must}, not {found.found}"
    assert said == expected.format(purchase=sale.payload.purchase_id)


async def test_purchases_of_customers_merged_long_ago_learn_the_same_by_the_migration(timed):
    await a_merged_sale(timed)
    await timed.run.pool.execute("update purchases set entry_no = 0, expired = 0")
    assert len((await audited(timed)).first) == 2
    up, _ = (MIGRATIONS / "20261126060010_moved_purchases.sql").read_text().split("-- migrate:down")
    await timed.run.pool.execute(up)
    assert (await audited(timed)).first == []


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_history_of_half_a_year_has_no_difference(timed, seed):
    chance = random.Random(seed)
    customers = [await timed.customer() for _ in range(5)] + [new_customer_id()]
    sales = []

    async def step() -> None:
        customer, now = chance.choice(customers), timed.run.clock.now()
        match chance.randrange(8):
            case 0 | 1:
                at = now - timedelta(days=chance.choice([0, 0, 3, 29]))
                sales.append(timed.sale(customer, [chance.randint(1, 90_000) for _ in range(2)], at=at))
                await timed.deliver(sales[-1])
            case 2:
                held = (await timed.reserve(customer, chance.randint(1, 60))).reservation_id
                amount = chance.randint(1, 700)
                sales.append(timed.sale(customer, [20_000], points=[(amount, held)], at=now))
                await timed.deliver(sales[-1], *chance.choices(sales, k=2))
            case 3:
                await timed.reserve(customer, chance.randint(1, 40))
            case 4:
                held = (await timed.reserve(customer, chance.randint(1, 40))).reservation_id
                await timed.release(customer, held)
            case 5 if sales:
                sale = chance.choice(sales)
                left = sale.payload.lines[0].net.units
                refunds = [
                    (t.tender_id, t.amount.units, t.amount.units)
                    for t in sale.payload.tenders
                    if t.WhichOneof("means") == "points"
                ]
                await timed.deliver(
                    timed.returned(sale, [("1", chance.randint(1, left), left)], points=refunds, at=now)
                )
            case _ if customer != customers[-1]:
                await timed.adjust(customer, chance.choice([-60, 25]), new_uuid())

    for round_ in range(12):
        swept = (timed.run.sweep(name) for name in ("days", "reservations"))
        await asyncio.gather(*(step() for _ in range(4)), *swept)
        await timed.wake(timed.run.clock.now() + timedelta(days=chance.randint(1, 28)))
        until = timed.run.clock.now() - timedelta(minutes=chance.choice([0, 90_000]))
        await timed.run.tell(until)
        await timed.run.sweep("reservations")
        if round_ == 7:
            await timed.deliver(timed.merged(*customers[:2], at=timed.run.clock.now()))
    kinds = {kind for customer in customers for kind, _, _ in await timed.entries(customer)}
    assert {"EARN", "REDEEM", "TAKE_BACK", "ADJUST", "EXPIRE"} <= kinds
    outcome = await audited(timed)
    assert outcome.first == []
    assert outcome.looked_at == len(customers)
    for customer in customers:
        await timed.explained(customer)


async def command(loyalty, *arguments):
    """Run `python -m loyalty …` on the service's database; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loyalty",
        *arguments,
        env=os.environ | {"LOYALTY_DATABASE_URL": loyalty.run.pool._connect_args[0]},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode()


async def test_the_operators_audit_of_points_says_what_differs_and_exits_with_1(timed):
    books = await books_of(timed)
    assert await command(timed, "audit") == (0, "looked at 1 customers, found 0 differences\n")
    await timed.run.pool.execute("update accounts set reserved = reserved + 5")
    code, said = await command(timed, "audit")
    assert code == 1
    assert books.customer in said
    assert '"must": "7", "found": "12"' in said
