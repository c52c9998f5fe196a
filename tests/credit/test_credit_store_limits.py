"""A store may have a limit of its own on an account: what comes from there stays within it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from credit.accounts.model import Key
from credit.audit.checks import AUDIT
from credit.holds.authorize import Ask, authorize
from credit.holds.model import Till
from credit.policies.codec import installed
from credit.policies.store import Policies
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2 as pb
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from langganan.types.v1 import origin_pb2
from tests.credit.conftest import rupiah
from tests.credit.paying import confirming, giro, giving_up, reverse


def setting(customer, store_id, limit, **fields):
    return pb.SetStoreLimitRequest(
        **{"request_id": new_uuid(), "customer_id": customer, "store_id": store_id} | fields,
        limit=None if limit is None else rupiah(limit),
    )


async def limit(credit, customer, store_id, most, **fields):
    """Give a store a limit of its own, or take it away; return the account."""
    return (await credit.accounts.SetStoreLimit(setting(customer, store_id, most, **fields))).account


def at(store_id):
    return origin_pb2.Origin(store_id=store_id, register_id="r1", mode=origin_pb2.MODE_ONLINE)


async def ask(credit, customer, amount, store_id, *, stub=None, **fields):
    request = holds_pb2.AuthorizeRequest(
        **{"hold_id": new_uuid(), "customer_id": customer, "amount": rupiah(amount), "origin": at(store_id)}
        | fields
    )
    return (await (stub or credit.holds).Authorize(request)).hold


def outcome(hold):
    """APPROVED, or the reason of the decline."""
    if hold.state == holds_pb2.HOLD_STATE_PENDING:
        return "APPROVED"
    return holds_pb2.DeclineReason.Name(hold.decline.reason).removeprefix("DECLINE_REASON_")


async def used(credit, customer):
    """What counts against the limit of each store, as GetAccount tells it."""
    return {s.store_id: s.used.units for s in (await credit.account(customer)).store_limits}


def sold_at(credit, store_id, customer, *tenders, **fields):
    sale = credit.sale(customer, *tenders, **fields)
    sale.payload.store_id = store_id
    return sale


async def test_what_comes_from_a_store_stays_within_its_limit_and_other_stores_go_on(credit):
    customer = await credit.open(limit=1_000_000)
    shown = await limit(credit, customer, "s1", 100_000)
    assert [(s.store_id, s.limit.units, s.used.units, s.available.units) for s in shown.store_limits] == [
        ("s1", 100_000, 0, 100_000)
    ]
    hold = await ask(credit, customer, 70_000, "s1")
    assert outcome(hold) == "APPROVED"
    declined = await ask(credit, customer, 30_001, "s1")
    assert outcome(declined) == "OVER_STORE_LIMIT"
    assert declined.decline.available.units == 30_000
    assert outcome(await ask(credit, customer, 30_001, "s2")) == "APPROVED"
    # The sale of the hold came to less, and both count once.
    await credit.deliver(sold_at(credit, "s1", customer, (60_000, hold.hold_id)))
    assert await used(credit, customer) == {"s1": 60_000}
    assert outcome(await ask(credit, customer, 40_001, "s1")) == "OVER_STORE_LIMIT"
    assert outcome(await ask(credit, customer, 40_000, "s1")) == "APPROVED"
    await credit.check_books(customer)


async def test_the_cashier_hears_what_is_left_at_the_store_in_their_language(credit):
    customer = await credit.open()
    await limit(credit, customer, "s1", 120_000)
    for language, sentence in (
        (
            "id",
            "Sisa limit kredit pelanggan ini di toko ini Rp120.000, tidak cukup untuk jumlah ini. "
            "Silakan kurangi jumlahnya atau pakai cara bayar lain.",
        ),
        (
            "en",
            "Rp120,000 of this customer's credit is left at this store, not enough for this amount. "
            "Please lower it or use another means of payment.",
        ),
    ):
        stub = credit.stub(holds_pb2_grpc.HoldServiceStub, language=language)
        hold = await ask(credit, customer, 120_001, "s1", stub=stub)
        assert hold.decline.say == sentence


async def test_a_decline_at_the_store_is_remembered_and_counted_by_its_reason(credit):
    def counted():
        labels = {"outcome": "OVER_STORE_LIMIT"}
        return REGISTRY.get_sample_value("langganan_credit_authorisations_total", labels) or 0

    customer = await credit.open()
    await limit(credit, customer, "s1", 10)
    before, hold_id = counted(), new_uuid()
    first = await ask(credit, customer, 11, "s1", hold_id=hold_id)
    await limit(credit, customer, "s1", 1_000)
    again = await ask(credit, customer, 11, "s1", hold_id=hold_id)
    assert first == again == await credit.hold(customer, hold_id)
    assert outcome(again) == "OVER_STORE_LIMIT"
    assert counted() == before + 1


async def test_what_moves_the_debt_moves_the_room_at_the_store(credit):
    customer = await credit.open(limit=1_000_000)
    await limit(credit, customer, "s1", 100_000)
    sale = sold_at(credit, "s1", customer, (80_000, None))
    await credit.deliver(sale)
    assert await used(credit, customer) == {"s1": 80_000}
    await credit.deliver(credit.returned(sale, 30_000))
    assert await used(credit, customer) == {"s1": 50_000}
    paid = await giro(credit, customer, 20_000)
    assert await used(credit, customer) == {"s1": 50_000}
    await credit.payments.ConfirmPayment(confirming(paid))
    assert await used(credit, customer) == {"s1": 30_000}
    await reverse(credit, paid)
    assert await used(credit, customer) == {"s1": 50_000}
    (invoice,) = await credit.invoices_of(customer)
    assert invoice.store_id == "s1"
    await credit.invoices.WriteOff(giving_up(customer, invoice.invoice_id))
    assert await used(credit, customer) == {"s1": 0}
    hold = await ask(credit, customer, 100_000, "s1")
    await credit.void(customer, hold.hold_id)
    assert await used(credit, customer) == {"s1": 0}


async def test_a_charge_without_a_sale_is_of_the_store_that_approved_it(credit):
    """Else what one store may let be owed would be owed at another, past that one's limit."""
    customer = await credit.open(limit=1_000_000)
    await limit(credit, customer, "s1", 100_000)
    await limit(credit, customer, "s2", 1_000)
    hold = await ask(credit, customer, 100_000, "s1")
    request = holds_pb2.CaptureRequest(hold_id=hold.hold_id, customer_id=customer, origin=at("s2"))
    await credit.holds.Capture(request)
    assert await used(credit, customer) == {"s1": 100_000, "s2": 0}
    (charged,) = await credit.invoices_of(customer)
    assert charged.store_id == "s1"


async def test_what_is_pending_when_a_store_gets_its_limit_counts_against_it(alone):
    credit = await alone()
    customer = await credit.open()
    for amount in (10_000, 20_000):
        assert outcome(await ask(credit, customer, amount, "s1")) == "APPROVED"
    await ask(credit, customer, 5_000, "s2")
    assert [s.used.units for s in (await limit(credit, customer, "s1", 29_999)).store_limits] == [30_000]
    assert outcome(await ask(credit, customer, 1, "s1")) == "OVER_STORE_LIMIT"
    # Taken away and given again, what was held in between counts as well.
    assert not (await limit(credit, customer, "s1", None)).store_limits
    assert outcome(await ask(credit, customer, 40_000, "s1")) == "APPROVED"
    shown = await limit(credit, customer, "s1", 70_000)
    assert [s.used.units for s in shown.store_limits] == [70_000]
    assert [s.used.units for s in (await limit(credit, customer, "s2", 0)).store_limits] == [70_000, 5_000]
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_64_authorisations_through_four_processes_never_pass_the_limit_of_the_store(
    credit, other_processes
):
    customer = await credit.open(limit=1_000_000)
    await limit(credit, customer, "s1", 100_000)
    stubs = [credit.holds, *other_processes(credit.merchant)]
    holds = await asyncio.gather(
        *(ask(credit, customer, 7_000, f"s{1 + n % 2}", stub=stubs[n // 2 % 4]) for n in range(64))
    )
    approved = [h for n, h in enumerate(holds) if n % 2 == 0 and outcome(h) == "APPROVED"]
    assert len(approved) == 14  # 98,000 of 100,000
    assert {outcome(h) for h in holds} == {"APPROVED", "OVER_STORE_LIMIT"}
    assert all(outcome(h) == "APPROVED" for n, h in enumerate(holds) if n % 2)
    assert await used(credit, customer) == {"s1": 98_000}
    await credit.check_books(customer)


async def test_a_dry_run_tells_of_the_store_and_remembers_nothing(credit):
    customer = await credit.open()
    await limit(credit, customer, "s1", 50)
    assert outcome(await ask(credit, customer, 51, "s1", dry_run=True)) == "OVER_STORE_LIMIT"
    assert outcome(await ask(credit, customer, 50, "s1", dry_run=True)) == "APPROVED"
    assert await used(credit, customer) == {"s1": 0}


async def test_who_changed_a_stores_limit_and_why_is_in_the_history(credit, refused):
    customer = await credit.open()
    wish = setting(customer, "s1", 5_000, reason="new branch", staff_ref="boss")
    first = (await credit.accounts.SetStoreLimit(wish)).account
    assert (await credit.accounts.SetStoreLimit(wish)).account == first
    wish.limit.units = 6_000
    assert await refused(credit.accounts.SetStoreLimit(wish)) == "IDEMPOTENCY_CONFLICT"
    await limit(credit, customer, "s1", None, reason="closed branch")
    page = await credit.accounts.ListChanges(pb.ListChangesRequest(customer_id=customer))
    told = [(c.kind, c.store_id, c.HasField("store_limit"), c.store_limit.units) for c in page.changes]
    assert told == [
        (pb.CHANGE_KIND_STORE_LIMIT, "s1", False, 0),
        (pb.CHANGE_KIND_STORE_LIMIT, "s1", True, 5_000),
        (pb.CHANGE_KIND_OPEN, "", False, 0),
    ]
    assert [(c.reason, c.staff_ref) for c in page.changes[:2]] == [
        ("closed branch", ""),
        ("new branch", "boss"),
    ]
    assert [c.revision for c in page.changes] == [3, 2, 1]


async def test_a_limit_for_a_store_is_refused_as_any_limit_is(credit, refused):
    customer = await credit.open()
    unknown = new_customer_id()
    assert await refused(credit.accounts.SetStoreLimit(setting(unknown, "s1", 1))) == "ACCOUNT_NOT_FOUND"
    assert await refused(credit.accounts.SetStoreLimit(setting(customer, "s1", -1))) == "INVALID_MONEY"
    await credit.accounts.CloseAccount(pb.CloseAccountRequest(request_id=new_uuid(), customer_id=customer))
    assert await refused(credit.accounts.SetStoreLimit(setting(customer, "s1", 1))) == "ACCOUNT_CLOSED"
    full = await credit.open()
    for n in range(100):
        await limit(credit, full, f"s{n}", n)
    assert await refused(credit.accounts.SetStoreLimit(setting(full, "more", 1))) == "TOO_MANY_STORE_LIMITS"
    assert len((await credit.account(full)).store_limits) == 100


async def statements(credit, *customers):
    """The statements that a batch of one authorisation for each customer, all from store s1, runs."""
    asks = [
        Ask(
            key=Key(credit.merchant, customer),
            hold_id=new_uuid(),
            amount=rupiah(1_000),
            ttl=None,
            usual_ttl=timedelta(minutes=15),
            till=Till("s1"),
            at=credit.run.clock.now(),
        )
        for customer in customers
    ]
    ran = []
    async with credit.run.pool.acquire() as conn, conn.transaction():
        with conn.query_logger(lambda record: ran.append(record.query)):
            decided = await authorize(Policies(installed()), conn, asks, True)
    assert [each.hold.state for each in decided] == ["PENDING"] * len(asks)
    return ran


async def test_who_has_no_limits_per_store_pays_nothing_and_who_has_one_statement_a_batch(credit):
    free, limited = [await credit.open() for _ in range(3)], [await credit.open() for _ in range(3)]
    plain = await statements(credit, *free)
    assert not any("store_limits" in each for each in plain)
    for customer in limited:
        await limit(credit, customer, "s1", 10_000)
    assert await statements(credit, *free) == plain
    more = await statements(credit, *free, *limited)
    assert [each for each in more if each not in plain] == [each for each in more if "store_limits" in each]
    assert len(more) == len(plain) + 1


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "DELETE FROM store_limits",
            ["limit of store s1: 50000, not none", "store_limited: false, not true"],
        ),
        ("UPDATE store_limits SET credit_limit = 50001", ["limit of store s1: 50000, not 50001"]),
        ("UPDATE accounts SET store_limited = false", ["store_limited: true, not false"]),
        ("UPDATE holds SET store_limited = false", ["store_limited of hold {hold}: true, not false"]),
    ],
)
async def test_a_tampered_limit_is_found_and_named(alone, sql, expected):
    credit = await alone()
    customer = await credit.open()
    await limit(credit, customer, "s1", 50_000)
    await limit(credit, customer, "s2", 1)
    await limit(credit, customer, "s2", None)
    hold = await ask(credit, customer, 1_000, "s1")
    assert (await run_audit(credit.run.pool, AUDIT)).first == []
    await credit.run.pool.execute(sql)
    found = (await run_audit(credit.run.pool, AUDIT)).first
    assert [f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in found] == [
        f"store-limits: {each.format(hold=hold.hold_id)}" for each in expected
    ]
