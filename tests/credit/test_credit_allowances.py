"""A till without a line sells within its store's allowance; what goes over is posted, marked and counted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2, invoices_pb2
from langganan.credit.v1 import allowances_pb2 as pb
from tests.credit.conftest import NOON, rupiah
from tests.credit.offline import DAY, allowance, grant, granting, hand_in, open_marks, promise, spent, under

OVER = invoices_pb2.EXCEPTION_KIND_OVER_ALLOWANCE
UNAUTHORISED = invoices_pb2.EXCEPTION_KIND_UNAUTHORISED


async def test_an_allowance_tells_the_till_what_it_may_sell_without_a_line(credit, refused):
    wish = granting(500_000, customer_limit=200_000)
    granted = (await credit.allowances.GrantAllowance(wish)).allowance
    assert (await credit.allowances.GrantAllowance(wish)).allowance == granted
    assert await allowance(credit, wish.allowance_id) == granted
    assert (granted.store_id, granted.time_zone, granted.staff_ref) == ("s1", "Asia/Makassar", "boss")
    assert (granted.amount.units, granted.customer_limit.units) == (500_000, 200_000)
    assert (granted.used.units, granted.over.units, granted.available.units) == (0, 0, 500_000)
    assert (granted.valid_from, granted.valid_until) == (wish.valid_from, wish.valid_until)
    for change in ({"store_id": "s2"}, {"amount": rupiah(1)}, {"customer_limit": rupiah(1)}):
        other = granting(500_000, customer_limit=200_000, allowance_id=wish.allowance_id)
        other.MergeFrom(pb.GrantAllowanceRequest(**change))
        assert await refused(credit.allowances.GrantAllowance(other)) == "IDEMPOTENCY_CONFLICT"


async def test_16_grants_of_one_allowance_at_once_are_one(credit):
    wish = granting(1_000)
    replies = await asyncio.gather(*(credit.allowances.GrantAllowance(wish) for _ in range(16)))
    assert len({reply.SerializeToString() for reply in replies}) == 1
    assert await credit.count("allowances") == 1


async def test_an_allowance_that_makes_no_sense_is_refused(credit, refused):
    for wish, reason in (
        (granting(1, start=NOON, end=NOON), "INVALID_FIELDS"),
        (granting(0), "INVALID_MONEY"),
        (granting(1, customer_limit=-1), "INVALID_MONEY"),
        (granting(1, time_zone="Asia/Atlantis"), "INVALID_TIME_ZONE"),
    ):
        assert await refused(credit.allowances.GrantAllowance(wish)) == reason
    unknown = pb.GetAllowanceRequest(allowance_id=new_uuid())
    assert await refused(credit.allowances.GetAllowance(unknown)) == "ALLOWANCE_NOT_FOUND"


async def test_the_allowances_of_a_store_are_listed_the_latest_first(credit):
    early = await grant(credit, 1, start=NOON - 3 * DAY, end=NOON - 2 * DAY)
    now = await grant(credit, 2, start=NOON - DAY, end=NOON + 9_000 * DAY)
    later = await grant(credit, 3, start=NOON + 9_000 * DAY, end=NOON + 9_001 * DAY)
    other = await grant(credit, 4, store_id="s2", start=NOON - 2 * DAY, end=NOON + 9_000 * DAY)

    async def listed(**fields):
        found, token = [], ""
        while True:
            request = pb.ListAllowancesRequest(page_size=1, page_token=token, **fields)
            page = await credit.allowances.ListAllowances(request)
            found += [each.allowance_id for each in page.allowances]
            token = page.next_page_token
            if not token:
                return found

    assert await listed(store_id="s1") == [later, now, early]
    assert await listed() == [later, now, other, early]
    assert await listed(valid_now=True) == [now, other]
    assert await listed(store_id="s1", valid_now=True) == [now]


async def test_an_allowance_that_is_ended_covers_what_was_sold_before(alone, refused):
    credit = await alone()
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    wish = pb.EndAllowanceRequest(request_id=new_uuid(), allowance_id=id_, staff_ref="boss")
    ended = (await credit.allowances.EndAllowance(wish)).allowance
    assert (ended.ended_at.ToDatetime(NOON.tzinfo), ended.ended_by) == (NOON, "boss")
    assert ended.available.units == 0
    credit.run.clock.advance(timedelta(hours=1))
    assert (await credit.allowances.EndAllowance(wish)).allowance == ended
    again = pb.EndAllowanceRequest(request_id=new_uuid(), allowance_id=id_)
    assert await refused(credit.allowances.EndAllowance(again)) == "ALLOWANCE_ENDED"
    other = pb.EndAllowanceRequest(request_id=wish.request_id, allowance_id=await grant(credit, 1))
    assert await refused(credit.allowances.EndAllowance(other)) == "IDEMPOTENCY_CONFLICT"
    second = timedelta(seconds=1)
    await credit.deliver(under(credit, id_, customer, 10_000, at=NOON - second))
    assert (await spent(credit, id_), await open_marks(credit, customer)) == ((10_000, 0), [])
    await credit.deliver(under(credit, id_, customer, 5_000, at=NOON))
    assert await spent(credit, id_) == (10_000, 5_000)
    assert await open_marks(credit, customer) == [(OVER, 5_000)]


async def test_a_sale_under_an_allowance_is_posted_whatever_the_account_says_and_counts_once(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open(limit=10_000)
    sale = under(credit, id_, customer, 60_000)
    for _ in range(2):
        await credit.deliver(sale, sale)
        await credit.deliver(type(sale)(sale.type, sale.merchant_id, sale.key, sale.payload, sale.time))
    assert await spent(credit, id_) == (60_000, 0)
    assert await open_marks(credit, customer) == []
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.amount.units, invoice.exception, invoice.store_id) == (60_000, 0, "s1")
    await credit.check_books(customer)


async def test_what_goes_over_is_posted_whole_marked_with_its_excess_and_counted(credit):
    def counted():
        labels = ({"kind": "OVER_ALLOWANCE"}, {"kind": "SALE", "outcome": "OVER_ALLOWANCE"})
        names = ("langganan_credit_exceptions_total", "langganan_credit_allowance_uses_total")
        return [REGISTRY.get_sample_value(name, by) or 0 for name, by in zip(names, labels, strict=True)]

    before = counted()
    id_ = await grant(credit, 100_000)
    customer, other = await credit.open(), await credit.open()
    await credit.deliver(under(credit, id_, customer, 70_000))
    await credit.deliver(under(credit, id_, other, 20_000, 25_000))  # one sale, two tenders
    assert await spent(credit, id_) == (100_000, 15_000)
    assert (await allowance(credit, id_)).available.units == 0
    assert await open_marks(credit, customer) == []
    assert await open_marks(credit, other) == [(OVER, 15_000)]
    assert [i.exception for i in await credit.invoices_of(other) if i.amount.units == 25_000] == [OVER]
    assert (await credit.account(other)).posted.units == 45_000
    assert counted() == [each + 1 for each in before]
    (marked,) = await credit.exceptions_of(other)
    resolving = invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(), exception_id=marked.exception_id, customer_id=other, note="spoken to"
    )
    await credit.invoices.ResolveException(resolving)
    assert await open_marks(credit, other) == []


@pytest.mark.parametrize(
    ("fields", "amount", "marks", "counts"),
    [
        ({"at": NOON - 2 * DAY}, 9_000, [(OVER, 9_000)], (0, 9_000)),
        ({"at": NOON + DAY}, 9_000, [(OVER, 9_000)], (0, 9_000)),
        ({"at": NOON + DAY - timedelta(seconds=1)}, 9_000, [], (9_000, 0)),
        ({"store_id": "s2"}, 9_000, [(OVER, 9_000)], (0, 9_000)),
        ({}, 40_001, [(OVER, 1)], (40_000, 1)),  # beyond what one customer may take
    ],
    ids=["before its time", "after it", "in its last second", "another store's", "one customer's"],
)
async def test_what_an_allowance_does_not_cover_is_over(credit, fields, amount, marks, counts):
    id_ = await grant(credit, 100_000, customer_limit=40_000)
    customer = await credit.open()
    await credit.deliver(under(credit, id_, customer, amount, **fields))
    assert await open_marks(credit, customer) == marks
    assert await spent(credit, id_) == counts
    assert (await credit.account(customer)).posted.units == amount


async def test_an_unknown_allowance_and_one_of_another_merchant_or_currency_allow_nothing(
    credit, credit_service
):
    other = type(credit)(credit_service)
    customer = await credit.open()
    theirs = await grant(other, 100_000)
    digits = await grant(credit, 100_000, minor_digits=2)
    for number, id_ in enumerate((new_uuid(), theirs, digits), start=1):
        await credit.deliver(under(credit, id_, customer, 1_000))
        assert await open_marks(credit, customer) == [(UNAUTHORISED, 1_000)] * number
    assert await spent(other, theirs) == (0, 0)
    assert await spent(credit, digits) == (0, 0)
    assert (await credit.account(customer)).posted.units == 3_000


async def test_a_customer_without_an_account_gets_a_suspended_one_and_is_listed(credit):
    id_ = await grant(credit, 100_000)
    customer = new_customer_id()
    await credit.deliver(under(credit, id_, customer, 30_000))
    account = await credit.account(customer)
    assert (account.status, account.posted.units) == (accounts_pb2.ACCOUNT_STATUS_SUSPENDED, 30_000)
    assert await open_marks(credit, customer) == [(UNAUTHORISED, 30_000)]
    assert await spent(credit, id_) == (30_000, 0)
    # Until staff open it, nobody may buy on it; then an allowance covers it as any other.
    await credit.deliver(under(credit, id_, customer, 5_000))
    assert await open_marks(credit, customer) == [(UNAUTHORISED, 5_000), (UNAUTHORISED, 30_000)]
    await credit.accounts.OpenAccount(credit.opening(customer, zone="Asia/Makassar"))
    await credit.deliver(under(credit, id_, customer, 7_000))
    assert len(await open_marks(credit, customer)) == 2
    assert await spent(credit, id_) == (42_000, 0)


async def test_what_a_return_gives_back_stays_taken_of_the_allowance(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    sale = under(credit, id_, customer, 30_000)
    await credit.deliver(sale)
    await credit.deliver(credit.returned(sale, 30_000))
    assert (await credit.account(customer)).posted.units == 0
    assert await spent(credit, id_) == (30_000, 0)


async def test_sales_of_many_customers_at_once_take_each_rupiah_of_an_allowance_once(credit, other_workers):
    id_, second = await grant(credit, 100_000), await grant(credit, 50_000)
    customers = [await credit.open() for _ in range(24)]
    workers = [credit.run, *other_workers]

    async def work(number):
        # Polls that name both allowances in either order, beside hand-ins: none waits for another forever.
        for customer in customers[number :: len(workers)]:
            pair = (id_, second) if number % 2 else (second, id_)
            await workers[number].deliver(*(under(credit, each, customer, 5_000) for each in pair))

    async def tell(number):
        for customer in customers[number :: len(workers)]:
            await hand_in(credit, id_, promise(customer, 1_000))

    await asyncio.gather(*(each(n) for n in range(len(workers)) for each in (work, tell)))
    assert await spent(credit, id_) == (100_000, 24 * 6_000 - 100_000)
    assert await spent(credit, second) == (50_000, 24 * 5_000 - 50_000)
    marked = [mark for customer in customers for mark in await open_marks(credit, customer)]
    assert {kind for kind, _ in marked} == {OVER}
    for customer in customers:
        await credit.check_books(customer)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE allowances SET used = used - 1", ["allowances: used, by the uses: 40000, not 39999"]),
        ("UPDATE allowances SET excess = excess + 1", ["allowances: over, by the uses: 10000, not 10001"]),
        (
            "DELETE FROM allowance_uses WHERE kind = 'HOLD'",
            [
                "uses: use of hold {hold}: allowance {id}, not none",
                "uses: use of hold {voided}: allowance {id}, not none",
                "allowances: used, by the uses: 20000, not 40000",
                "allowances: over, by the uses: 0, not 10000",
            ],
        ),
        (
            "UPDATE allowance_uses SET amount = 20001 WHERE kind = 'SALE'",
            [
                "uses: sale {invoice} under allowance {id}: 20001, not 20000",
                "allowances: used, by the uses: 40001, not 40000",
            ],
        ),
        (
            "DELETE FROM allowance_uses WHERE kind = 'SALE'",
            ["allowances: used, by the uses: 20000, not 40000"],
        ),
        (
            "UPDATE allowance_uses SET given_back_at = NULL WHERE given_back_at IS NOT NULL",
            [
                "uses: hold {voided} under allowance {id}: 4000, not 4000, given back",
                "allowances: over, by the uses: 14000, not 10000",
            ],
        ),
    ],
)
async def test_what_was_tampered_with_in_an_allowance_is_found(alone, sql, expected):
    credit = await alone()
    id_ = await grant(credit, 40_000)
    customer = await credit.open()
    await credit.deliver(under(credit, id_, customer, 20_000))
    handed, voided = await hand_in(credit, id_, promise(customer, 30_000), promise(customer, 4_000))
    await credit.void(customer, voided.hold_id)
    assert await spent(credit, id_) == (40_000, 10_000)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []
    await credit.run.pool.execute(sql)
    (invoice,) = await credit.invoices_of(customer)
    names = {"id": id_, "hold": handed.hold_id, "voided": voided.hold_id, "invoice": invoice.invoice_id}
    found = (await run_audit(credit.run.pool, AUDIT)).first
    assert sorted(f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in found) == sorted(
        each.format(**names) for each in expected
    )
