"""Where invoices stand, what is owed by age, reminders by hand, and debts that are given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.type.date_pb2 import Date

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import holds_pb2, invoices_pb2, invoices_pb2_grpc
from langganan.events.v1 import credit_pb2
from tests.credit.paying import giving_up, owing, reverse

pb = invoices_pb2


async def standing(credit, customer):
    """What each invoice's state is, newest first."""
    return [
        pb.InvoiceState.Name(i.state).removeprefix("INVOICE_STATE_")
        for i in await credit.invoices_of(customer)
    ]


async def listed(credit, **filter_):
    reply = await credit.invoices.ListInvoices(pb.ListInvoicesRequest(page_size=200, **filter_))
    return [i.amount.units for i in reply.invoices]


async def ages(credit, customer=""):
    reply = await credit.invoices.GetAgeing(pb.GetAgeingRequest(customer_id=customer))
    (ageing,) = reply.ageing
    assert [b.band for b in ageing.bands] == [1, 2, 3, 4, 5]
    assert ageing.total.units == sum(b.amount.units for b in ageing.bands)
    return [(b.amount.units, b.invoices) for b in ageing.bands]


async def test_an_invoice_is_open_partly_paid_paid_cancelled_or_written_off(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (10_000, None), at=credit.run.clock.now())
    await credit.deliver(sale)
    assert await standing(credit, customer) == ["OPEN"]
    paid = await credit.pay(customer, 4_000)
    assert await standing(credit, customer) == ["PARTIALLY_PAID"]
    await credit.pay(customer, 6_000)
    assert await standing(credit, customer) == ["PAID"]
    await reverse(credit, paid)
    assert await standing(credit, customer) == ["PARTIALLY_PAID"]
    (invoice,) = await credit.invoices_of(customer)
    reply = await credit.invoices.WriteOff(giving_up(customer, invoice.invoice_id))
    assert (reply.invoice.written_off.units, reply.invoice.outstanding.units) == (4_000, 0)
    assert await standing(credit, customer) == ["WRITTEN_OFF"]
    await credit.deliver(credit.returned(sale, 10_000))
    assert await standing(credit, customer) == ["CANCELLED"]
    account = await credit.account(customer)
    # 6,000 had been paid; the 4,000 that were given up come back to nobody.
    assert (account.posted.units, account.credit_balance.units) == (0, 6_000)
    await credit.check_books(customer)


async def test_days_overdue_are_local_days_and_end_with_the_debt(credit):
    customer, (invoice,) = await owing(credit, 10_000, days=20, net_days=18)
    (shown,) = await credit.invoices_of(customer)
    assert shown.days_overdue == 2
    asked = await credit.invoices.GetInvoices(pb.GetInvoicesRequest(invoice_ids=[invoice]))
    assert asked.invoices[0] == shown
    await credit.pay(customer, 10_000)
    (shown,) = await credit.invoices_of(customer)
    assert shown.days_overdue == 0


async def test_invoices_are_listed_by_due_date_and_by_age(credit):
    # Sold 100, 99 and 98 days ago; due after 30.
    customer, ids = await owing(credit, 1_000, 2_000, 4_000, days=100, net_days=30)
    due = [i.due_on for i in reversed(await credit.invoices_of(customer))]
    mine = {"customer_id": customer}
    assert await listed(credit, **mine, due_from=due[1]) == [4_000, 2_000]
    assert await listed(credit, **mine, due_until=due[1]) == [2_000, 1_000]
    assert await listed(credit, **mine, due_from=due[1], due_until=due[1]) == [2_000]
    assert await listed(credit, **mine, min_days_overdue=69) == [2_000, 1_000]
    assert await listed(credit, **mine, min_days_overdue=71) == []
    await credit.invoices.WriteOff(giving_up(customer, ids[0]))
    assert await listed(credit, **mine, min_days_overdue=69) == [2_000]
    assert await listed(credit, **mine) == [4_000, 2_000, 1_000]


async def test_a_shop_lists_what_all_customers_owe_page_by_page_each_by_its_own_day(credit, refused):
    now = credit.run.clock.now()  # 12:00 in Jakarta, still the day before in Honolulu
    near, far = await credit.open(net_days=0), await credit.open(net_days=0, zone="Pacific/Honolulu")
    for customer, amount, days in ((near, 1_000, 5), (far, 2_000, 5), (near, 4_000, 0), (far, 8_000, 2)):
        await credit.deliver(credit.sale(customer, (amount, None), at=now - timedelta(days=days)))
    await credit.pay(far, 2_000)
    seen, token = [], ""
    while True:
        request = pb.ListInvoicesRequest(page_size=1, page_token=token)
        page = await credit.invoices.ListInvoices(request)
        seen += [i.amount.units for i in page.invoices]
        token = page.next_page_token
        if not token:
            break
    assert seen == [4_000, 8_000, 1_000]
    assert await listed(credit, min_days_overdue=3) == [1_000]
    assert await listed(credit, min_days_overdue=2) == [8_000, 1_000]
    stranger = credit.run.stub(invoices_pb2_grpc.InvoiceServiceStub, merchant="somebody-else")
    assert not (await stranger.ListInvoices(pb.ListInvoicesRequest())).invoices
    bad = pb.ListInvoicesRequest(due_from=Date(year=2026, month=2, day=30))
    assert await refused(credit.invoices.ListInvoices(bad)) == "INVALID_DATE"
    bad = pb.ListInvoicesRequest(customer_id="nobody")
    assert await refused(credit.invoices.ListInvoices(bad)) == "INVALID_CUSTOMER_ID"


@pytest.mark.parametrize(
    ("days_past", "band"), [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4)]
)
async def test_what_is_owed_lies_in_the_band_of_its_age(credit, days_past, band):
    customer, _ = await owing(credit, 10_000, days=100, net_days=100 - days_past)
    await credit.pay(customer, 3_000)
    expected = [(0, 0)] * 5
    expected[band] = (7_000, 1)
    assert await ages(credit, customer) == expected
    assert await ages(credit) == expected


async def test_the_ageing_of_a_shop_is_the_sum_of_its_customers(credit, refused):
    assert not (await credit.invoices.GetAgeing(pb.GetAgeingRequest())).ageing
    first, (old, _) = await owing(credit, 1_000, 2_000, days=50, net_days=10)
    second, _ = await owing(credit, 4_000, days=50, net_days=60)
    paid, _ = await owing(credit, 8_000, days=50)
    await credit.pay(paid, 8_000)
    assert await ages(credit, first) == [(0, 0), (0, 0), (3_000, 2), (0, 0), (0, 0)]
    assert await ages(credit, second) == [(4_000, 1), (0, 0), (0, 0), (0, 0), (0, 0)]
    assert await ages(credit, paid) == [(0, 0)] * 5
    assert await ages(credit) == [(4_000, 1), (0, 0), (3_000, 2), (0, 0), (0, 0)]
    await credit.invoices.WriteOff(giving_up(first, old))
    assert await ages(credit) == [(4_000, 1), (0, 0), (2_000, 1), (0, 0), (0, 0)]
    nobody = pb.GetAgeingRequest(customer_id=new_customer_id())
    assert await refused(credit.invoices.GetAgeing(nobody)) == "ACCOUNT_NOT_FOUND"


async def test_a_debt_is_given_up_once_and_says_so(credit, refused):
    customer, (invoice, other) = await owing(credit, 10_000, 5_000)
    await credit.pay(customer, 2_000)
    request = giving_up(customer, invoice, staff_ref="s1")
    replies = await asyncio.gather(*(credit.invoices.WriteOff(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    told = [f for f in await credit.facts(customer) if isinstance(f, credit_pb2.InvoiceWrittenOff)]
    assert [(f.invoice_id, f.amount) for f in told] == [(invoice, 8_000)]
    assert (await credit.account(customer)).posted.units == 5_000
    await credit.check_books(customer)
    settled = giving_up(customer, invoice)
    assert await refused(credit.invoices.WriteOff(settled)) == "INVOICE_SETTLED"
    changed = giving_up(customer, other, request_id=request.request_id)
    assert await refused(credit.invoices.WriteOff(changed)) == "IDEMPOTENCY_CONFLICT"
    stranger = await credit.open()
    assert await refused(credit.invoices.WriteOff(giving_up(stranger, other))) == "INVOICE_NOT_FOUND"
    card = giving_up(customer, other, reason="4111 1111 1111 1111")
    assert await refused(credit.invoices.WriteOff(card)) == "PAN_NOT_ALLOWED"


async def test_a_write_off_ends_a_block_and_a_payment_goes_to_what_is_still_owed(credit):
    customer, (old, young) = await owing(credit, 10_000, 6_000, days=20, net_days=5)
    declined = await credit.authorize(customer, 1_000)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVERDUE
    await credit.invoices.WriteOff(giving_up(customer, old))
    assert (await credit.authorize(customer, 1_000)).state == holds_pb2.HOLD_STATE_PENDING
    paid = await credit.pay(customer, 6_000)
    assert [a.invoice_id for a in paid.allocations] == [young]


async def test_what_a_bounced_payment_had_paid_of_a_written_off_invoice_is_owed_again(alone):
    credit = await alone()
    customer, (invoice,) = await owing(credit, 10_000)
    paid = await credit.pay(customer, 4_000)
    await credit.invoices.WriteOff(giving_up(customer, invoice))
    await reverse(credit, paid)
    (shown,) = await credit.invoices_of(customer)
    assert (shown.state, shown.outstanding.units) == (pb.INVOICE_STATE_OPEN, 4_000)
    assert (await credit.account(customer)).overdue.units == 0
    assert await ages(credit, customer) == [(4_000, 1), (0, 0), (0, 0), (0, 0), (0, 0)]
    again = await credit.pay(customer, 4_000)
    assert [a.amount.units for a in again.allocations] == [4_000]
    await credit.check_books(customer)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_the_audit_finds_what_was_tampered_with_in_a_write_off(alone):
    credit = await alone()
    customer, (invoice,) = await owing(credit, 10_000)
    await credit.invoices.WriteOff(giving_up(customer, invoice))
    await credit.run.pool.execute("UPDATE write_offs SET amount = 9999")
    (found,) = (await run_audit(credit.run.pool, AUDIT)).first
    assert (found.check, found.must, found.found) == ("causes", "write-off of 10000", "none")
    await credit.run.pool.execute("UPDATE write_offs SET amount = 10000")
    await credit.run.pool.execute("UPDATE invoices SET written_off = 9999")
    found = {
        (d.check, d.what.split()[0], d.must, d.found) for d in (await run_audit(credit.run.pool, AUDIT)).first
    }
    assert found == {
        ("balances", "posted,", "1", "0"),
        ("invoices", "written_off", "10000", "9999"),
        ("invoices", "settled", "false", "true"),
    }


def reminding(customer, **fields):
    return pb.SendReminderRequest(customer_id=customer, **({"request_id": new_uuid()} | fields))


def reminders(facts):
    kinds = (credit_pb2.PaymentDue, credit_pb2.PaymentOverdue)
    return [f for f in facts if isinstance(f, kinds)]


async def test_a_reminder_by_hand_names_all_that_is_open_and_says_it_once_for_each_request(credit, refused):
    customer, ids = await owing(credit, 1_000, 2_000, 4_000, days=20, net_days=19)
    request = reminding(customer, staff_ref="s1")
    replies = await asyncio.gather(*(credit.invoices.SendReminder(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    assert replies[0].event == "payment-overdue"
    (told,) = reminders(await credit.facts(customer))
    assert told.request_id == request.request_id
    assert [i.invoice_id for i in told.overdue] == ids[:1]
    assert [i.invoice_id for i in told.due] == ids[1:]
    assert told.local_date == replies[0].local_date
    # By another request it is said again, on the same day.
    await credit.pay(customer, 1_000)
    again = await credit.invoices.SendReminder(reminding(customer))
    assert again.event == "payment-due"
    assert len(reminders(await credit.facts(customer))) == 2
    request.staff_ref = "s2"
    assert await refused(credit.invoices.SendReminder(request)) == "IDEMPOTENCY_CONFLICT"
    await credit.pay(customer, 6_000)
    assert await refused(credit.invoices.SendReminder(reminding(customer))) == "NOTHING_OWED"
    nobody = reminding(new_customer_id())
    assert await refused(credit.invoices.SendReminder(nobody)) == "ACCOUNT_NOT_FOUND"
