"""Accounts are suspended, resumed, closed, get a limit for a time, and remember who changed what and why."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from kit.testing.refusals import refusal as refusal_of
from langganan.credit.v1 import accounts_pb2 as pb
from langganan.credit.v1 import accounts_pb2_grpc, holds_pb2
from langganan.events.v1 import customers_pb2
from tests.credit.conftest import instant, rupiah
from tests.credit.paying import giro, owing, paying_out, reverse


def asking(customer, **fields):
    return {"request_id": new_uuid(), "customer_id": customer} | fields


async def suspend(credit, customer, **fields):
    request = pb.SuspendAccountRequest(**asking(customer, **fields))
    return (await credit.accounts.SuspendAccount(request)).account


async def resume(credit, customer, **fields):
    request = pb.ResumeAccountRequest(**asking(customer, **fields))
    return (await credit.accounts.ResumeAccount(request)).account


async def close(credit, customer, **fields):
    request = pb.CloseAccountRequest(**asking(customer, **fields))
    return (await credit.accounts.CloseAccount(request)).account


async def override(credit, customer, limit, until):
    request = pb.OverrideLimitRequest(**asking(customer, limit=rupiah(limit), until=instant(until)))
    return (await credit.accounts.OverrideLimit(request)).account


async def changes(credit, customer, size=200):
    found, token = [], ""
    while True:
        request = pb.ListChangesRequest(customer_id=customer, page_size=size, page_token=token)
        page = await credit.accounts.ListChanges(request)
        found += page.changes
        token = page.next_page_token
        if not token:
            return found


async def reason(credit, customer, amount=1_000):
    """Why a hold is declined; "": it is not."""
    hold = await credit.authorize(customer, amount)
    name = holds_pb2.DeclineReason.Name(hold.decline.reason).removeprefix("DECLINE_REASON_")
    return "" if hold.state == holds_pb2.HOLD_STATE_PENDING else name


async def test_a_suspended_account_approves_nothing_books_everything_and_is_resumed_as_it_was(
    credit, refused
):
    customer = await credit.open(limit=80_000, net_days=7)
    pending = await credit.authorize(customer, 10_000)
    suspended = await suspend(credit, customer, reason="review", staff_ref="s1")
    assert (suspended.status, suspended.available.units) == (pb.ACCOUNT_STATUS_SUSPENDED, 0)
    assert await reason(credit, customer) == "ACCOUNT_SUSPENDED"
    await credit.deliver(credit.sale(customer, (10_000, pending.hold_id)))
    assert not await credit.exceptions_of(customer)
    await credit.pay(customer, 4_000)
    # Opening would name another limit and pass by whoever suspended it.
    assert await refused(credit.accounts.OpenAccount(credit.opening(customer))) == "ACCOUNT_EXISTS"
    resumed = await resume(credit, customer)
    assert (resumed.status, resumed.limit.units, resumed.net_days) == (pb.ACCOUNT_STATUS_ACTIVE, 80_000, 7)
    assert resumed.available.units == 74_000
    assert await reason(credit, customer) == ""
    await credit.check_books(customer)


async def test_what_a_sale_opened_is_opened_by_staff_and_not_resumed(credit, refused):
    customer = new_customer_id()
    await credit.deliver(credit.sale(customer, (5_000, None)))
    request = pb.ResumeAccountRequest(**asking(customer))
    assert await refused(credit.accounts.ResumeAccount(request)) == "NEVER_OPENED"
    await credit.accounts.OpenAccount(credit.opening(customer, limit=9_000, zone="Asia/Makassar"))
    assert (await credit.account(customer)).available.units == 4_000
    assert [c.kind for c in await changes(credit, customer)] == [pb.CHANGE_KIND_OPEN, pb.CHANGE_KIND_SALE]


async def test_an_account_is_not_closed_while_a_giro_is_pending(credit):
    customer = await credit.open()
    noted = await giro(credit, customer, 5_000)
    request = pb.CloseAccountRequest(**asking(customer))
    why = await refusal_of(credit.accounts.CloseAccount(request))
    assert (why.reason, why.metadata["payment_id"]) == ("PAYMENT_PENDING", noted.payment_id)
    await reverse(credit, noted)
    closed = (await credit.accounts.CloseAccount(request)).account
    assert closed.status == pb.ACCOUNT_STATUS_CLOSED


async def test_an_account_is_closed_at_zero_alone_and_opened_again(credit, refused):
    customer = await credit.open(limit=100_000)

    async def refusal():
        request = pb.CloseAccountRequest(**asking(customer))
        return await refused(credit.accounts.CloseAccount(request))

    hold = await credit.authorize(customer, 10_000)
    assert await refusal() == "ACCOUNT_NOT_SETTLED"
    await credit.capture(hold)
    assert await refusal() == "ACCOUNT_NOT_SETTLED"
    await credit.pay(customer, 12_000, allow=True)
    assert await refusal() == "ACCOUNT_NOT_SETTLED"
    await credit.payments.PayOut(paying_out(customer, 2_000))
    closed = await close(credit, customer, reason="moved away")
    assert (closed.status, closed.available.units) == (pb.ACCOUNT_STATUS_CLOSED, 0)
    assert await reason(credit, customer) == "ACCOUNT_CLOSED"
    for call, request in (
        (credit.accounts.SuspendAccount, pb.SuspendAccountRequest(**asking(customer))),
        (credit.accounts.ResumeAccount, pb.ResumeAccountRequest(**asking(customer))),
        (credit.accounts.SetLimit, pb.SetLimitRequest(**asking(customer, limit=rupiah(1)))),
        (credit.accounts.SetTerms, pb.SetTermsRequest(**asking(customer))),
        (credit.accounts.OverrideLimit, pb.OverrideLimitRequest(**asking(customer))),
    ):
        assert await refused(call(request)) == "ACCOUNT_CLOSED"
    other = credit.opening(customer)
    other.currency_code = other.limit.currency_code = "SGD"
    assert await refused(credit.accounts.OpenAccount(other)) == "CURRENCY_MISMATCH"
    again = (await credit.accounts.OpenAccount(credit.opening(customer, limit=5_000))).account
    assert (again.status, again.available.units) == (pb.ACCOUNT_STATUS_ACTIVE, 5_000)


async def test_a_sale_that_comes_after_closing_is_posted_and_marked(credit):
    customer = await credit.open()
    await close(credit, customer)
    await credit.deliver(credit.sale(customer, (5_000, None)))
    (marked,) = await credit.exceptions_of(customer)
    account = await credit.account(customer)
    assert (account.posted.units, account.status) == (5_000, pb.ACCOUNT_STATUS_CLOSED)
    await credit.pay(customer, marked.amount.units)
    await credit.check_books(customer)


async def test_closing_and_selling_at_once_leave_no_closed_account_that_holds_anything(credit):
    for _ in range(8):
        customer = await credit.open()
        calls = [credit.authorize(customer, 1_000) for _ in range(4)] + [close(credit, customer)]
        await asyncio.gather(*calls, return_exceptions=True)
        account = await credit.account(customer)
        assert account.status != pb.ACCOUNT_STATUS_CLOSED or account.held.units == 0


async def test_every_change_is_done_once_for_each_request(credit, refused):
    customer = await credit.open()
    request = pb.SuspendAccountRequest(**asking(customer, reason="review"))
    replies = await asyncio.gather(*(credit.accounts.SuspendAccount(request) for _ in range(16)))
    assert {r.account.revision for r in replies} == {2}
    await resume(credit, customer)
    # The same again is the first decision again: it suspends nothing more.
    again = (await credit.accounts.SuspendAccount(request)).account
    assert (again.status, again.revision) == (pb.ACCOUNT_STATUS_ACTIVE, 3)
    request.reason = "another"
    assert await refused(credit.accounts.SuspendAccount(request)) == "IDEMPOTENCY_CONFLICT"
    card = pb.CloseAccountRequest(**asking(customer, reason="4111 1111 1111 1111"))
    assert await refused(credit.accounts.CloseAccount(card)) == "PAN_NOT_ALLOWED"
    nobody = pb.CloseAccountRequest(**asking(new_customer_id()))
    assert await refused(credit.accounts.CloseAccount(nobody)) == "ACCOUNT_NOT_FOUND"


async def test_a_limit_for_a_time_ends_by_itself(alone, refused):
    credit = await alone()
    customer = await credit.open(limit=10_000)
    until = credit.run.clock.now() + timedelta(days=2)
    account = await override(credit, customer, 50_000, until)
    assert (account.limit.units, account.available.units) == (10_000, 50_000)
    assert (account.limit_override.limit.units, account.limit_override.until) == (50_000, instant(until))
    assert await reason(credit, customer, 30_000) == ""
    credit.run.clock.advance(timedelta(days=2) - timedelta(seconds=1))
    assert await reason(credit, customer, 5_000) == ""
    credit.run.clock.advance(timedelta(seconds=1))
    assert await reason(credit, customer, 1) == "OVER_LIMIT"
    account = await credit.account(customer)
    assert (account.available.units, account.HasField("limit_override")) == (0, False)
    passed = pb.OverrideLimitRequest(
        **asking(customer, limit=rupiah(1), until=instant(credit.run.clock.now()))
    )
    assert await refused(credit.accounts.OverrideLimit(passed)) == "OVERRIDE_PASSED"
    half = pb.OverrideLimitRequest(**asking(customer, limit=rupiah(1)))
    assert await refused(credit.accounts.OverrideLimit(half)) == "INVALID_FIELDS"


async def test_a_limit_for_a_time_is_replaced_and_ended(credit):
    customer = await credit.open(limit=10_000)
    until = credit.run.clock.now() + timedelta(days=2)
    await override(credit, customer, 50_000, until)
    assert (await override(credit, customer, 0, until)).available.units == 0
    ended = await credit.accounts.OverrideLimit(pb.OverrideLimitRequest(**asking(customer)))
    assert ended.account.available.units == 10_000
    assert not ended.account.HasField("limit_override")


@pytest.mark.parametrize(
    ("due_day", "due"), [(5, date(2026, 3, 5)), (2, date(2026, 4, 2)), (31, date(2026, 3, 31))]
)
async def test_invoices_are_due_on_a_fixed_day_of_the_month(credit, refused, due_day, due):
    customer = await credit.open(net_days=30)
    request = pb.SetTermsRequest(**asking(customer, due_day=due_day))
    account = (await credit.accounts.SetTerms(request)).account
    assert (account.net_days, account.due_day) == (0, due_day)
    await credit.deliver(credit.sale(customer, (1_000, None)))  # on 2 March
    (invoice,) = await credit.invoices_of(customer)
    assert date(invoice.due_on.year, invoice.due_on.month, invoice.due_on.day) == due
    both = pb.SetTermsRequest(**asking(customer, due_day=due_day, net_days=3))
    assert await refused(credit.accounts.SetTerms(both)) == "INVALID_FIELDS"
    request.due_day = 17
    assert await refused(credit.accounts.SetTerms(request)) == "IDEMPOTENCY_CONFLICT"
    back = (await credit.accounts.SetTerms(pb.SetTermsRequest(**asking(customer, net_days=3)))).account
    assert (back.net_days, back.due_day) == (3, 0)


async def history(credit):
    """An account that lived through every kind of change but those by events; its customer."""
    customer = await credit.open(limit=10_000, net_days=30)
    credit.run.clock.advance(timedelta(minutes=1))
    limit = asking(customer, limit=rupiah(20_000), reason="pays in time", staff_ref="s2")
    await credit.accounts.SetLimit(pb.SetLimitRequest(**limit))
    credit.run.clock.advance(timedelta(minutes=1))
    await credit.accounts.SetTerms(pb.SetTermsRequest(**asking(customer, due_day=5)))
    for step in (suspend, resume, close):
        credit.run.clock.advance(timedelta(minutes=1))
        await step(credit, customer, reason=step.__name__, staff_ref="s3")
    return customer


@pytest.mark.parametrize("size", [1, 2, 200])
async def test_every_change_is_listed_with_who_why_and_what_held_after_it(alone, refused, size):
    credit = await alone()
    customer = await history(credit)
    found = await changes(credit, customer, size)
    names = [pb.ChangeKind.Name(c.kind).removeprefix("CHANGE_KIND_") for c in found]
    assert names == ["CLOSE", "RESUME", "SUSPEND", "TERMS", "LIMIT", "OPEN"]
    assert [c.revision for c in found] == [6, 5, 4, 3, 2, 1]
    assert [c.limit.units for c in found] == [20_000] * 5 + [10_000]
    assert [(c.net_days, c.due_day) for c in found] == [(0, 5)] * 4 + [(30, 0)] * 2
    assert [c.status for c in found] == [3, 1, 2, 1, 1, 1]
    assert (found[0].reason, found[0].staff_ref) == ("close", "s3")
    assert (found[4].reason, found[4].staff_ref) == ("pays in time", "s2")
    assert found[0].changed_at == instant(credit.run.clock.now())
    stranger = credit.run.stub(accounts_pb2_grpc.AccountServiceStub, merchant="somebody-else")
    request = pb.ListChangesRequest(customer_id=customer)
    assert await refused(stranger.ListChanges(request)) == "ACCOUNT_NOT_FOUND"


async def test_an_erasure_is_a_change_too(credit):
    customer, _ = await owing(credit, 1_000)
    now = credit.run.clock.now()
    payload = customers_pb2.CustomerErased(
        merchant_id=credit.merchant, customer_id=customer, erased_at=instant(now)
    )
    event = Outgoing("customer-erased", credit.merchant, customer, payload, now)
    await credit.deliver(event)
    await credit.deliver(event)
    kinds = [c.kind for c in await changes(credit, customer)]
    assert sorted(kinds) == [pb.CHANGE_KIND_OPEN, pb.CHANGE_KIND_ERASED]


async def test_the_audit_finds_a_limit_and_a_status_that_nobody_set(alone):
    credit = await alone()
    await history(credit)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []
    await credit.run.pool.execute(
        "UPDATE accounts SET credit_limit = 20001, status = 'ACTIVE', due_day = 6, "
        "override_limit = 1, override_until = '2026-03-04T00:00Z'"
    )
    found = {
        (d.check, d.what.split()[0], d.must, d.found) for d in (await run_audit(credit.run.pool, AUDIT)).first
    }
    assert {f[:3] for f in found} == {
        ("accounts", "status", "CLOSED"),
        ("accounts", "limit", "20000"),
        ("accounts", "terms", "0 days, day 5"),
        ("accounts", "override", "none"),
    }
