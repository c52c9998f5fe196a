"""Two customers turn out to be one: the account moves whole, and the absorbed id leads to it from then on."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from credit import merges
from kit.ids import new_uuid
from langganan.credit.v1 import (
    accounts_pb2,
    bookings_pb2,
    bookings_pb2_grpc,
    holds_pb2,
    invoices_pb2,
    payments_pb2,
    statements_pb2,
)
from tests.credit.conftest import NOON, TILL, Credit, rupiah
from tests.credit.merging import audit_passes, changes_of, explained, merge, merged, tables_with
from tests.credit.paying import (
    confirming,
    giro,
    giving_up,
    owing,
    paying_out,
    resolving,
    reverse,
    reversing,
    transferring,
)

ACTIVE = accounts_pb2.ACCOUNT_STATUS_ACTIVE


async def full(credit, limit=1_000_000):
    """A customer with a row in every table; returns the customer, a paid sale and a pending hold."""
    customer, (first, *_) = await owing(credit, 30_000, 20_000, limit=limit)
    sale = credit.sale(customer, (10_000, new_uuid()))
    await credit.deliver(sale)
    await credit.payments.RecordPayment(transferring(customer, 15_000))
    await credit.invoices.WriteOff(giving_up(customer, first))
    noted = await giro(credit, customer, 500)
    await credit.payments.ReversePayment(reversing(noted))
    await credit.pay(customer, 40_000, allow=True)
    await credit.payments.PayOut(paying_out(customer, 1_000))
    await credit.deliver(credit.sale(customer, (25_000, None)))
    await credit.invoices.SendReminder(
        invoices_pb2.SendReminderRequest(request_id=new_uuid(), customer_id=customer)
    )
    hold = await credit.authorize(customer, 7_000)
    return customer, sale, hold


async def test_no_table_of_customers_is_forgotten_by_a_merge(credit):
    rows = await credit.run.pool.fetch(
        "SELECT table_name AS t FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name = 'customer_id'"
    )
    moved = set(
        re.findall(
            r"(?:UPDATE|DELETE FROM) (\w+)", (Path(merges.__file__).parent / "queries.sql").read_text()
        )
    )
    stays = {"spend"}  # it is read under both ids, see test_credit_spend.py
    assert {row["t"] for row in rows} <= moved | stays


async def test_everything_moves_and_adds_up(credit):
    absorbed, _, hold = await full(credit)
    survivor, (theirs,) = await owing(credit, 12_000, limit=400_000)
    before = {c: await credit.account(c) for c in (absorbed, survivor)}
    invoices = {i.invoice_id: i for c in before for i in await credit.invoices_of(c)}
    assert await tables_with(credit, absorbed) >= {
        "accounts", "account_changes", "entries", "holds", "invoices", "invoice_exceptions", "payments",
        "payment_changes", "payouts", "notices", "reminders", "write_offs",
    }  # fmt: skip
    await merge(credit, absorbed, survivor)
    assert await tables_with(credit, absorbed) == {"accounts"}
    after = await credit.account(survivor)
    for balance in ("posted", "held", "credit_balance"):
        assert getattr(after, balance).units == sum(getattr(b, balance).units for b in before.values())
    assert (after.limit.units, after.status) == (400_000, ACTIVE)
    moved = {i.invoice_id: i for i in await credit.invoices_of(survivor)}
    assert moved.keys() == invoices.keys()
    for invoice_id, invoice in invoices.items():
        invoice.customer_id = survivor
        assert moved[invoice_id] == invoice
    assert theirs in moved
    assert (await credit.hold(survivor, hold.hold_id)).state == holds_pb2.HOLD_STATE_PENDING
    assert await explained(credit, survivor) == [
        after.posted.units, after.credit_balance.units, after.held.units,
    ]  # fmt: skip
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_every_entry_keeps_its_id_and_remembers_whose_it_was(credit):
    absorbed, *_ = await full(credit)
    survivor, _ = await owing(credit, 5_000)
    sql = (
        "SELECT entry_id, cause_type, cause_id, line, effect, invoice_id, posted, credit, effective_at, "
        "recorded_at, coalesce(absorbed_from, customer_id) AS whose "
        "FROM entries WHERE merchant_id = $1 ORDER BY entry_id"
    )
    before = await credit.run.pool.fetch(sql, credit.merchant)
    await merge(credit, absorbed, survivor)
    assert await credit.run.pool.fetch(sql, credit.merchant) == before
    statement = await credit.statements.GetStatement(
        statements_pb2.GetStatementRequest(
            customer_id=absorbed,
            first_day={"year": 2026, "month": 1, "day": 1},
            last_day={"year": 2026, "month": 12, "day": 31},
            page_size=200,
        )
    )
    assert {e.absorbed_from for e in statement.entries} == {"", absorbed}
    assert len(statement.entries) == len(before)
    account = await credit.account(survivor)
    assert (statement.closing.posted, statement.closing.credit_balance) == (
        account.posted,
        account.credit_balance,
    )


async def test_every_call_under_the_absorbed_id_is_answered_for_the_survivor(credit, refused):
    absorbed, sale, hold = await full(credit)
    survivor = await credit.open(limit=500_000)
    exceptions = await credit.exceptions_of(absorbed)
    noted = await giro(credit, absorbed, 900)
    await merge(credit, absorbed, survivor)
    account = await credit.account(absorbed)
    assert (account.customer_id, account.merged_into) == (survivor, survivor)
    account.merged_into = ""
    assert account == await credit.account(survivor)
    assert await credit.invoices_of(absorbed) == await credit.invoices_of(survivor)
    assert await credit.hold(absorbed, hold.hold_id) == await credit.hold(survivor, hold.hold_id)
    assert await explained(credit, absorbed) == await explained(credit, survivor)
    for owner in (absorbed, survivor):
        found = await credit.exceptions_of(owner)
        assert [e.exception_id for e in found] == [e.exception_id for e in exceptions]
        paid = await credit.payments.ListPayments(payments_pb2.ListPaymentsRequest(customer_id=owner))
        assert noted.payment_id in {p.payment_id for p in paid.payments}
        (out,) = (
            await credit.payments.ListPayouts(payments_pb2.ListPayoutsRequest(customer_id=owner))
        ).payouts
        assert (out.customer_id, out.amount.units) == (survivor, 1_000)
        ageing = await credit.invoices.GetAgeing(invoices_pb2.GetAgeingRequest(customer_id=owner))
        assert ageing.ageing[0].total == account.posted
    # And all that changes something.
    await credit.capture(await credit.authorize(absorbed, 5_000), 4_000)
    await credit.void(absorbed, (await credit.authorize(absorbed, 3_000)).hold_id)
    kept = holds_pb2.ExtendHoldRequest(hold_id=hold.hold_id, customer_id=absorbed, origin=TILL)
    kept.ttl.FromTimedelta(timedelta(hours=2))
    assert (await credit.holds.ExtendHold(kept)).hold.customer_id == survivor
    assert (await credit.payments.ConfirmPayment(confirming(noted))).payment.customer_id == survivor
    await reverse(credit, await credit.pay(absorbed, 1_000, allow=True))
    await credit.pay(absorbed, 30_000, allow=True)
    await credit.payments.PayOut(paying_out(absorbed, 100))
    await credit.invoices.ResolveException(resolving(absorbed, exceptions[0].exception_id, note="seen"))
    await credit.deliver(credit.sale(absorbed, (90_000, None)), credit.returned(sale, 1_000))
    open_ = next(i for i in await credit.invoices_of(absorbed) if i.outstanding.units)
    given_up = await credit.invoices.WriteOff(giving_up(absorbed, open_.invoice_id))
    assert given_up.invoice.customer_id == survivor
    limit = accounts_pb2.SetLimitRequest(
        request_id=new_uuid(), customer_id=absorbed, limit=rupiah(77_000), reason="one of two"
    )
    assert (await credit.accounts.SetLimit(limit)).account.customer_id == survivor
    assert (await credit.account(survivor)).limit.units == 77_000
    opening = credit.opening(absorbed)
    assert await refused(credit.accounts.OpenAccount(opening)) == "ACCOUNT_EXISTS"
    assert await tables_with(credit, absorbed) == {"accounts"}
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_a_dry_run_under_the_absorbed_id_sees_the_survivors_account(credit):
    absorbed, survivor = await credit.open(limit=10_000), await credit.open(limit=8_000)
    await merge(credit, absorbed, survivor)
    ask = holds_pb2.AuthorizeRequest(
        hold_id=new_uuid(), customer_id=absorbed, amount=rupiah(8_000), origin=TILL, dry_run=True
    )
    assert (await credit.holds.Authorize(ask)).hold.state == holds_pb2.HOLD_STATE_PENDING
    ask.amount.units = 8_001
    assert (await credit.holds.Authorize(ask)).hold.state == holds_pb2.HOLD_STATE_DECLINED
    assert (await credit.account(survivor)).held.units == 0


async def test_who_asks_again_after_the_merge_hears_the_first_decision(credit, refused):
    absorbed, survivor = await credit.open(limit=50_000), await credit.open(limit=60_000)
    await credit.deliver(credit.sale(absorbed, (9_000, new_uuid())))
    (marked,) = await credit.exceptions_of(absorbed)
    (owed,) = await credit.invoices_of(absorbed)
    hold, declined = await credit.authorize(absorbed, 5_000), await credit.authorize(absorbed, 500_000)
    captured = await credit.capture(await credit.authorize(absorbed, 700))
    paid = transferring(absorbed, 1_500, allow_credit_balance=True)
    first = (await credit.payments.RecordPayment(paid)).payment
    noted = await giro(credit, absorbed, 20)
    confirm, bounce = confirming(noted), reversing(first)
    made = [
        (credit.payments.ConfirmPayment, confirm),
        (credit.payments.ReversePayment, bounce),
        (credit.invoices.ResolveException, resolving(absorbed, marked.exception_id, note="ok")),
        (
            credit.invoices.SendReminder,
            invoices_pb2.SendReminderRequest(request_id=new_uuid(), customer_id=absorbed),
        ),
        (credit.invoices.WriteOff, giving_up(absorbed, owed.invoice_id)),
        (
            credit.accounts.SetLimit,
            accounts_pb2.SetLimitRequest(request_id=new_uuid(), customer_id=absorbed, limit=rupiah(40_000)),
        ),
    ]
    for method, request in made:
        await method(request)
    await merge(credit, absorbed, survivor)
    before = await credit.account(survivor)
    again = await credit.authorize(absorbed, 5_000, hold.hold_id)
    assert (again.state, again.decided_at, again.customer_id) == (hold.state, hold.decided_at, survivor)
    assert (await credit.authorize(absorbed, 500_000, declined.hold_id)).decline == declined.decline
    assert (await credit.capture(captured)).invoice_id == captured.invoice_id
    assert (await credit.payments.RecordPayment(paid)).payment.payment_id == first.payment_id
    for method, request in made:
        await method(request)
    assert await credit.account(survivor) == before
    other = holds_pb2.AuthorizeRequest(
        hold_id=hold.hold_id, customer_id=absorbed, amount=rupiah(5_001), origin=TILL
    )
    assert await refused(credit.holds.Authorize(other)) == "IDEMPOTENCY_CONFLICT"
    await audit_passes(credit)


async def test_a_hold_of_the_absorbed_customer_is_used_by_a_sale_under_either_id(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    mine, theirs = await credit.authorize(absorbed, 5_000), await credit.authorize(absorbed, 6_000)
    await merge(credit, absorbed, survivor)
    await credit.deliver(
        credit.sale(absorbed, (5_000, mine.hold_id)), credit.sale(survivor, (6_000, theirs.hold_id))
    )
    for hold in (mine, theirs):
        assert (await credit.hold(survivor, hold.hold_id)).state == holds_pb2.HOLD_STATE_CAPTURED
    account = await credit.account(survivor)
    assert (account.posted.units, account.held.units) == (11_000, 0)
    assert await credit.exceptions_of(survivor) == []


async def test_a_merge_is_a_change_with_what_held_after_it(credit):
    absorbed, survivor = await credit.open(limit=10_000), await credit.open(limit=20_000)
    limit = accounts_pb2.SetLimitRequest(
        request_id=new_uuid(), customer_id=absorbed, limit=rupiah(9_000), reason="less", staff_ref="staff-9"
    )
    await credit.accounts.SetLimit(limit)
    await merge(credit, absorbed, survivor, NOON + timedelta(hours=1))
    newest, *before = await changes_of(credit, survivor)
    assert newest.kind == accounts_pb2.CHANGE_KIND_MERGED
    assert (newest.merged_customer_id, newest.limit.units) == (absorbed, 9_000)
    assert newest.revision == (await credit.account(survivor)).revision
    whose = {(c.absorbed_from, c.kind, c.staff_ref) for c in before}
    assert whose == {
        ("", accounts_pb2.CHANGE_KIND_OPEN, ""),
        (absorbed, accounts_pb2.CHANGE_KIND_OPEN, ""),
        (absorbed, accounts_pb2.CHANGE_KIND_LIMIT, "staff-9"),
    }
    # The clock stands still here: pages of one lose nothing although two accounts changed in one instant.
    paged = await changes_of(credit, absorbed, size=1)
    assert sorted(c.request_id for c in paged) == sorted(c.request_id for c in [newest, *before])


async def test_limits_per_store_go_on_each_the_smaller(credit):
    absorbed, survivor = await credit.open(), await credit.open()

    async def limit(customer, store_id, amount):
        await credit.accounts.SetStoreLimit(
            accounts_pb2.SetStoreLimitRequest(
                request_id=new_uuid(), customer_id=customer, store_id=store_id, limit=rupiah(amount)
            )
        )

    await credit.authorize(survivor, 2_000)  # at s1, before anything was limited
    await limit(absorbed, "s1", 9_000)
    await limit(absorbed, "s2", 4_000)
    await credit.authorize(absorbed, 3_000)
    await merge(credit, absorbed, survivor)
    await audit_passes(credit)
    account = await credit.account(survivor)
    assert [(s.store_id, s.limit.units) for s in account.store_limits] == [("s1", 9_000), ("s2", 4_000)]
    declined = await credit.authorize(absorbed, 4_001)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVER_STORE_LIMIT
    assert (await credit.authorize(absorbed, 4_000)).state == holds_pb2.HOLD_STATE_PENDING
    other = await credit.open()
    await limit(other, "s1", 500)
    await merge(credit, survivor, other)
    account = await credit.account(absorbed)
    assert [(s.store_id, s.limit.units) for s in account.store_limits] == [("s1", 500), ("s2", 4_000)]
    newest = await changes_of(credit, other, size=2)
    assert newest[0].revision == account.revision
    assert len({c.revision for c in newest}) == len(newest)
    await audit_passes(credit)


async def test_another_merchants_customers_of_the_same_ids_are_not_touched(credit, credit_service):
    other = Credit(credit_service)
    absorbed, survivor = (await owing(credit, 5_000))[0], await credit.open()
    await other.accounts.OpenAccount(other.opening(absorbed))
    await other.deliver(other.sale(absorbed, (3_000, None)))
    before = await other.account(absorbed)
    await merge(credit, absorbed, survivor)
    assert await other.account(absorbed) == before
    assert (await credit.account(absorbed)).customer_id == survivor


async def test_reconcile_finds_what_was_booked_under_either_id(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    sale = credit.sale(absorbed, (9_000, None))
    back = credit.returned(sale, 2_000)
    await credit.deliver(sale, back, merged(credit, absorbed, survivor))
    bookings = credit.stub(bookings_pb2_grpc.BookingServiceStub)
    refs = [
        bookings_pb2.BookingRef(
            purchase_id=sale.payload.purchase_id, customer_id=c, return_ids=[back.payload.return_id]
        )
        for c in (absorbed, survivor)
    ]
    for asked in (refs[:1], refs[1:], refs):
        answer = await bookings.ListBookings(bookings_pb2.ListBookingsRequest(purchases=asked))
        (booking,) = answer.bookings
        assert (booking.entries_charged, booking.returns[0].entries_returned) == (9_000, 2_000)
