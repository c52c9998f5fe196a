"""Limits by policy: decided when an account is put under it, and once a local month after that."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2 as pb
from tests.credit.limiting import (
    APRIL,
    FEE,
    HALF,
    MARCH,
    by_hand,
    by_policy,
    choose,
    history,
    limit,
    move,
    rupiah,
    sale,
    sweeper,
)


async def test_an_account_is_opened_under_the_policy_with_what_the_customer_bought_before(alone):
    credit = await alone(MARCH)
    customer = new_customer_id()
    await credit.deliver(
        sale(credit, customer, 60_000, 40_000, at=MARCH - timedelta(days=30)),  # February
        sale(credit, customer, 20_000, at=MARCH - timedelta(days=60)),  # January
        sale(credit, customer, 900_000, at=MARCH - timedelta(days=90)),  # December: too long ago
        sale(credit, customer, 900_000, at=MARCH),  # this month is not complete
        sale(credit, customer, 900_000, at=MARCH - timedelta(days=30), kind=FEE),
    )
    await choose(credit, **HALF)
    opening = credit.opening(customer)
    opening.ClearField("limit")
    opening.limit_by_policy = True
    opened = (await credit.accounts.OpenAccount(opening)).account
    assert (await credit.accounts.OpenAccount(opening)).account == opened
    assert await limit(credit, customer) == (60_000, 1, date(2026, 4, 1))
    assert await history(credit, customer) == [("OPEN", 60_000, 1, "")]


async def test_a_limit_is_put_under_the_policy_and_taken_back_by_hand(credit, refused):
    customer = await credit.open(limit=5_000)
    assert await refused(by_policy(credit, customer)) == "LIMITS_NOT_SET"
    await choose(credit, "fixed", limit=70_000)
    request_id = new_uuid()
    await by_policy(credit, customer, request_id)
    assert await limit(credit, customer) == (70_000, 1, date(2026, 4, 1))
    await by_hand(credit, customer, 8_000)
    await by_policy(credit, customer, request_id)  # the same request again changes nothing more
    assert await limit(credit, customer) == (8_000, 0, None)
    assert await history(credit, customer) == [
        ("OPEN", 5_000, 0, ""),
        ("LIMIT", 70_000, 1, ""),
        ("LIMIT", 8_000, 0, ""),
    ]
    other = pb.SetLimitRequest(request_id=request_id, customer_id=customer, limit=rupiah(1))
    assert await refused(credit.accounts.SetLimit(other)) == "IDEMPOTENCY_CONFLICT"


async def test_a_limit_is_named_or_left_to_the_policy_never_both_nor_neither(credit, refused):
    customer = await credit.open()
    for fields in ({}, {"limit": rupiah(1), "by_policy": True}):
        request = pb.SetLimitRequest(request_id=new_uuid(), customer_id=customer, **fields)
        assert await refused(credit.accounts.SetLimit(request)) == "INVALID_FIELDS"
    opening = credit.opening(new_customer_id())
    opening.limit_by_policy = True
    assert await refused(credit.accounts.OpenAccount(opening)) == "INVALID_FIELDS"
    opening.ClearField("limit")
    assert await refused(credit.accounts.OpenAccount(opening)) == "LIMITS_NOT_SET"
    opening.limit_by_policy = False
    assert await refused(credit.accounts.OpenAccount(opening)) == "INVALID_FIELDS"


async def test_a_closed_account_is_not_put_under_the_policy_and_closing_ends_it(credit, refused):
    await choose(credit, "fixed", limit=70_000)
    customer = await credit.open()
    await by_policy(credit, customer)
    await credit.accounts.CloseAccount(pb.CloseAccountRequest(request_id=new_uuid(), customer_id=customer))
    assert await limit(credit, customer) == (70_000, 0, None)
    assert await refused(by_policy(credit, customer)) == "ACCOUNT_CLOSED"
    assert await refused(by_policy(credit, new_customer_id())) == "ACCOUNT_NOT_FOUND"


async def test_the_turn_of_the_month_raises_and_lowers_limits_once_and_the_history_says_so(alone):
    credit = await alone(MARCH)
    await choose(credit, **HALF)
    more, less, same = [await credit.open() for _ in range(3)]
    february = MARCH - timedelta(days=30)
    await credit.deliver(
        sale(credit, less, 400_000, at=february - timedelta(days=31)),
        *(sale(credit, c, 100_000, at=february) for c in (more, less, same)),
        sale(credit, more, 300_000, at=MARCH),
        sale(credit, same, 0, at=MARCH),
    )
    for customer in (more, less, same):
        await by_policy(credit, customer)
    assert [(await limit(credit, c))[0] for c in (more, less, same)] == [50_000, 250_000, 50_000]
    for _ in range(3):
        assert await sweeper(credit).look() == 0
    move(credit, APRIL - timedelta(seconds=1))
    assert await sweeper(credit).look() == 0
    move(credit, APRIL)
    assert await sweeper(credit).look() == 3
    assert await sweeper(credit).look() == 0
    may = date(2026, 5, 1)
    assert await limit(credit, more) == (200_000, 1, may)
    assert await limit(credit, less) == (50_000, 1, may)
    assert await limit(credit, same) == (50_000, 1, may)
    # What did not change is no change.
    assert (await history(credit, more))[2:] == [("LIMIT", 200_000, 1, "policy")]
    assert (await history(credit, less))[2:] == [("LIMIT", 50_000, 1, "policy")]
    assert (await history(credit, same))[2:] == []
    assert [(await credit.account(c)).revision for c in (more, less, same)] == [3, 3, 2]
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_a_policy_of_later_decides_from_the_next_month_on(alone):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    customer = await credit.open()
    await by_policy(credit, customer)
    await choose(credit, "fixed", limit=90_000)
    await sweeper(credit).look()
    assert (await limit(credit, customer))[:2] == (70_000, 1)
    move(credit, APRIL)
    await sweeper(credit).look()
    assert (await limit(credit, customer))[:2] == (90_000, 2)
    await choose(credit, None)  # no plugin any more: the limit stays, and the account stays under the policy
    move(credit, APRIL + timedelta(days=31))
    await sweeper(credit).look()
    assert await limit(credit, customer) == (90_000, 2, date(2026, 6, 1))


async def test_eight_workers_at_once_decide_each_account_once(alone):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    customers = [await credit.open() for _ in range(30)]
    for customer in customers:
        await by_policy(credit, customer)
    await choose(credit, "fixed", limit=90_000)
    move(credit, APRIL)
    done = await asyncio.gather(*(sweeper(credit).look() for _ in range(8)))
    assert sum(done) + await sweeper(credit).look() == 30
    changed = [await history(credit, customer) for customer in customers]
    assert (
        changed
        == [[("OPEN", 1_000_000, 0, ""), ("LIMIT", 70_000, 1, ""), ("LIMIT", 90_000, 2, "policy")]] * 30
    )


async def test_more_than_one_claims_worth_is_decided_in_one_look(alone):
    credit = await alone(MARCH)
    policy = await choose(credit, "fixed", limit=70_000)
    await credit.run.pool.execute(
        """
        INSERT INTO accounts (
            merchant_id, customer_id, status, currency_code, time_zone, limit_policy, limit_again_on
        )
        SELECT $1, 'c' || n, 'ACTIVE', 'IDR', 'Asia/Jakarta', $2, '2026-03-01'
        FROM generate_series(1, 450) AS n
        """,
        credit.merchant,
        policy.version,
    )
    assert await sweeper(credit).look() == 450
    assert await credit.count("account_changes") == 450
    assert await sweeper(credit).look() == 0


async def test_each_zone_has_its_own_turn_of_the_month(alone):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    zones = ("Pacific/Kiritimati", "Asia/Jakarta", "Pacific/Pago_Pago")
    customers = [await credit.open(zone=zone) for zone in zones]
    for customer in customers:
        await by_policy(credit, customer)
    await choose(credit, "fixed", limit=90_000)
    turns = [datetime(2026, 3, 31, 10, tzinfo=UTC), APRIL, datetime(2026, 4, 1, 11, tzinfo=UTC)]
    for turn, customer in zip(turns, customers, strict=True):
        move(credit, turn - timedelta(seconds=1))
        assert await sweeper(credit).look() == 0
        move(credit, turn)
        assert await sweeper(credit).look() == 1
        assert (await limit(credit, customer))[0] == 90_000


async def test_an_override_stays_in_force_beside_the_policy(alone):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    customer = await credit.open()
    await by_policy(credit, customer)
    override = pb.OverrideLimitRequest(request_id=new_uuid(), customer_id=customer, limit=rupiah(500_000))
    override.until.FromDatetime(APRIL + timedelta(days=2))
    await credit.accounts.OverrideLimit(override)
    await choose(credit, "fixed", limit=90_000)
    move(credit, APRIL)
    await sweeper(credit).look()
    account = await credit.account(customer)
    assert (account.limit.units, account.available.units) == (90_000, 500_000)
    move(credit, APRIL + timedelta(days=2))
    assert (await credit.account(customer)).available.units == 90_000


async def test_a_limit_below_what_is_owed_approves_nothing_more(alone):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    customer = await credit.open()
    await by_policy(credit, customer)
    await credit.deliver(credit.sale(customer, (60_000, None), at=MARCH))
    await choose(credit, "fixed", limit=10_000)
    move(credit, APRIL)
    await sweeper(credit).look()
    account = await credit.account(customer)
    assert (account.limit.units, account.posted.units, account.available.units) == (10_000, 60_000, 0)
    await credit.check_books(customer)


async def test_a_missing_plugin_leaves_the_limit_and_is_asked_again_each_day(alone, refused):
    credit = await alone(MARCH)
    other = type(credit)(credit.run, merchant="toko-b")
    for shop in (credit, other):
        await choose(shop, "fixed", limit=70_000)
    customer, elsewhere = await credit.open(), await other.open()
    await by_policy(credit, customer)
    await by_policy(other, elsewhere)
    for shop in (credit, other):
        await choose(shop, "fixed", limit=90_000)
    await rename(credit, "fixed", "astrology")
    assert await refused(by_policy(credit, customer)) == "PLUGIN_MISSING"
    move(credit, APRIL)
    await sweeper(credit).look()
    assert await sweeper(credit).look() == 0
    assert await limit(credit, customer) == (70_000, 1, date(2026, 4, 2))
    assert await limit(other, elsewhere) == (90_000, 2, date(2026, 5, 1))
    await choose(credit, "fixed", limit=100_000)
    await sweeper(credit).look()
    assert (await limit(credit, customer))[0] == 70_000
    move(credit, APRIL + timedelta(days=1))
    await sweeper(credit).look()
    assert await limit(credit, customer) == (100_000, 3, date(2026, 5, 1))


async def rename(credit, plugin, to):
    """Let the newest version name a plugin that is not installed, as after a roll without it.

    Under another number, for this process knows the version that it set.
    """
    await credit.run.pool.execute(
        """
        INSERT INTO policies (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
        SELECT merchant_id, version + 100, gen_random_uuid(), '', effective_from, set_at,
            replace(content::text, $2, $3)::jsonb || jsonb_build_object('version', (version + 100)::text)
        FROM policies WHERE merchant_id = $1 ORDER BY version DESC LIMIT 1
        """,
        credit.merchant,
        plugin,
        to,
    )


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE accounts SET credit_limit = 1", "limit by LIMIT"),
        ("UPDATE accounts SET limit_policy = 7", "policy of the limit by LIMIT"),
        ("UPDATE accounts SET limit_policy = 0, limit_again_on = NULL", "policy of the limit by LIMIT"),
    ],
)
async def test_the_audit_finds_a_limit_that_no_decision_left(alone, tampering, found):
    credit = await alone(MARCH)
    await choose(credit, "fixed", limit=70_000)
    await by_policy(credit, await credit.open())
    assert (await run_audit(credit.run.pool, AUDIT)).first == []
    await credit.run.pool.execute(tampering)
    (difference,) = (await run_audit(credit.run.pool, AUDIT)).first
    assert found in difference.what
