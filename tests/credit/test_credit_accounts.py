"""Opening accounts, limits, terms, and what customers says about a customer."""

from __future__ import annotations

import asyncio

import pytest
from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2, holds_pb2
from langganan.events.v1 import customers_pb2


async def test_an_account_is_opened_once(credit, refused):
    customer = new_customer_id()
    request = credit.opening(customer, limit=750_000, net_days=21, zone="Asia/Jayapura")
    replies = await asyncio.gather(*(credit.accounts.OpenAccount(request) for _ in range(16)))
    assert len({r.SerializeToString(deterministic=True) for r in replies}) == 1
    account = replies[0].account
    assert account.status == accounts_pb2.ACCOUNT_STATUS_ACTIVE
    assert (account.limit.units, account.available.units, account.net_days) == (750_000, 750_000, 21)
    assert (account.currency_code, account.minor_digits, account.time_zone) == ("IDR", 0, "Asia/Jayapura")
    other_body = credit.opening(customer, limit=1, zone="Asia/Jayapura")
    assert await refused(credit.accounts.OpenAccount(other_body)) == "ACCOUNT_EXISTS"
    other_body.request_id = request.request_id
    assert await refused(credit.accounts.OpenAccount(other_body)) == "IDEMPOTENCY_CONFLICT"


async def test_16_different_openings_open_one_account(credit):
    customer = new_customer_id()
    calls = [credit.accounts.OpenAccount(credit.opening(customer, limit=n)) for n in range(16)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    opened = [r for r in replies if isinstance(r, accounts_pb2.OpenAccountResponse)]
    assert len(opened) == 1
    assert (await credit.account(customer)).limit == opened[0].account.limit


async def lose_answers(calls):
    """Make each call and hang up on it, a little later each time: before, while and after it is done."""
    for number, call in enumerate(calls):
        made = call()
        await asyncio.wait([asyncio.ensure_future(made.code())], timeout=number / 1_000)
        made.cancel()


async def test_a_limit_is_set_once_for_each_request(credit, refused):
    customer = await credit.open(limit=100_000)
    request = accounts_pb2.SetLimitRequest(
        request_id=new_uuid(),
        customer_id=customer,
        limit=Money(currency_code="IDR", units=40_000),
        reason="pays late",
    )
    replies = await asyncio.gather(*(credit.accounts.SetLimit(request) for _ in range(16)))
    assert {r.account.revision for r in replies} == {2}
    assert (await credit.account(customer)).limit.units == 40_000
    request.limit.units = 50_000
    assert await refused(credit.accounts.SetLimit(request)) == "IDEMPOTENCY_CONFLICT"
    request.request_id = new_uuid()
    await credit.accounts.SetLimit(request)
    assert (await credit.account(customer)).limit.units == 50_000


def terms(customer, net_days, **fields):
    fields.setdefault("request_id", new_uuid())
    return accounts_pb2.SetTermsRequest(customer_id=customer, net_days=net_days, **fields)


async def test_terms_are_set_once_for_each_request(credit, refused):
    customer = await credit.open(net_days=30)
    request = terms(customer, 14, reason="pays in time", staff_ref="staff-1")
    replies = await asyncio.gather(*(credit.accounts.SetTerms(request) for _ in range(16)))
    assert {r.account.revision for r in replies} == {2}
    assert {r.account.net_days for r in replies} == {14}
    for other in ({"net_days": 15}, {"reason": "asked for it"}, {"staff_ref": "staff-2"}):
        fields = {"net_days": 14, "reason": "pays in time", "staff_ref": "staff-1"} | other
        call = credit.accounts.SetTerms(terms(customer, request_id=request.request_id, **fields))
        assert await refused(call) == "IDEMPOTENCY_CONFLICT"
    await credit.accounts.SetTerms(terms(customer, 7))
    again = await credit.accounts.SetTerms(request)  # answers with the account as it is now
    assert (again.account.net_days, again.account.revision) == (7, 3)


async def test_16_different_terms_at_once_all_take_effect_one_after_the_other(credit):
    customer = await credit.open()
    replies = await asyncio.gather(*(credit.accounts.SetTerms(terms(customer, n)) for n in range(16)))
    assert sorted(r.account.revision for r in replies) == list(range(2, 18))
    last = max(replies, key=lambda r: r.account.revision)
    assert (await credit.account(customer)).net_days == last.account.net_days


async def test_terms_whose_answer_was_lost_are_set_once(credit):
    customers = [await credit.open() for _ in range(8)]
    requests = [terms(customer, 9) for customer in customers]
    await lose_answers([lambda r=r: credit.accounts.SetTerms(r) for r in requests])
    replies = await asyncio.gather(*(credit.accounts.SetTerms(request) for request in requests))
    assert {(r.account.net_days, r.account.revision) for r in replies} == {(9, 2)}


async def test_one_request_id_for_16_customers_changes_one(credit):
    customers = [await credit.open() for _ in range(16)]
    id_ = new_uuid()
    requests = [accounts_pb2.SetTermsRequest(request_id=id_, customer_id=c, net_days=7) for c in customers]
    calls = [credit.accounts.SetTerms(r) for r in requests]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert len([r for r in replies if not isinstance(r, BaseException)]) == 1
    assert sorted([(await credit.account(c)).net_days for c in customers]) == [7] + [30] * 15


async def test_a_limit_below_what_is_owed_approves_nothing_more(credit):
    customer = await credit.open(limit=100_000)
    await credit.deliver(credit.sale(customer, (80_000, None)))
    await credit.accounts.SetLimit(
        accounts_pb2.SetLimitRequest(
            request_id=new_uuid(), customer_id=customer, limit=Money(currency_code="IDR", units=50_000)
        )
    )
    assert (await credit.account(customer)).available.units == 0
    assert (await credit.authorize(customer, 1)).state == holds_pb2.HOLD_STATE_DECLINED


async def test_new_terms_concern_later_invoices_alone(credit):
    customer = await credit.open(net_days=30)
    await credit.deliver(credit.sale(customer, (1_000, None)))
    (before,) = await credit.invoices_of(customer)
    request = accounts_pb2.SetTermsRequest(request_id=new_uuid(), customer_id=customer, net_days=0)
    for _ in range(2):
        assert (await credit.accounts.SetTerms(request)).account.net_days == 0
    await credit.deliver(credit.sale(customer, (2_000, None)))
    by_amount = {i.amount.units: i for i in await credit.invoices_of(customer)}
    assert by_amount[1_000] == before
    assert by_amount[2_000].due_on == by_amount[2_000].issued_on
    request.net_days = 5
    with pytest.raises(Exception, match="other content"):
        await credit.accounts.SetTerms(request)


async def test_a_wished_limit_is_noted_and_opens_nothing(credit, refused):
    customer = new_customer_id()
    wish = customers_pb2.CustomerRegistered(
        merchant_id=credit.merchant, customer_id=customer, credit_limit_wished=2_000_000
    )
    event = Outgoing("customer-registered", credit.merchant, customer, wish, credit.run.clock.now())
    await credit.deliver(event)
    get = accounts_pb2.GetAccountRequest(customer_id=customer)
    assert await refused(credit.accounts.GetAccount(get)) == "ACCOUNT_NOT_FOUND"
    await credit.accounts.OpenAccount(credit.opening(customer, limit=500_000))
    account = await credit.account(customer)
    assert (account.limit.units, account.limit_wished.units) == (500_000, 2_000_000)


async def test_no_account_is_opened_for_an_erased_customer(credit, refused):
    customer = new_customer_id()
    erased = customers_pb2.CustomerErased(merchant_id=credit.merchant, customer_id=customer)
    await credit.deliver(
        Outgoing("customer-erased", credit.merchant, customer, erased, credit.run.clock.now())
    )
    assert await refused(credit.accounts.OpenAccount(credit.opening(customer))) == "CUSTOMER_ERASED"


async def test_an_account_keeps_the_currency_of_its_first_sale(credit, refused):
    customer = new_customer_id()
    await credit.deliver(credit.sale(customer, (1_000, None)))
    request = credit.opening(customer)
    request.minor_digits = 2
    assert await refused(credit.accounts.OpenAccount(request)) == "CURRENCY_MISMATCH"


async def test_a_currency_mistake_is_corrected_while_nothing_is_booked(credit, refused):
    customer = new_customer_id()
    mistaken = credit.opening(customer, limit=500_000)
    mistaken.minor_digits, mistaken.time_zone = 2, "Asia/Jayapura"
    await credit.accounts.OpenAccount(mistaken)
    waiting, good = credit.sale(customer, (80_000, None)), await credit.open()
    hold = await credit.authorize(customer, 100_000)
    declined = await credit.authorize(customer, 900_000)
    await credit.deliver(waiting, credit.sale(customer, (5_000, None)), credit.sale(good, (1_000, None)))
    assert ["NOT_YET" in why for why in await credit.parked(customer)] == [True, False]
    assert (await credit.account(good)).posted.units == 1_000
    correction = credit.opening(customer, limit=600_000)
    assert await refused(credit.accounts.OpenAccount(correction)) == "ACCOUNT_EXISTS"  # a hold is pending
    await credit.void(customer, hold.hold_id)
    replies = await asyncio.gather(*(credit.accounts.OpenAccount(correction) for _ in range(16)))
    assert {r.account.revision for r in replies} == {2}
    account = await credit.account(customer)
    assert (account.minor_digits, account.time_zone, account.limit.units) == (0, "Asia/Jakarta", 600_000)
    assert not (await credit.hold(customer, declined.hold_id)).HasField("amount")
    again = await credit.authorize(customer, 900_000, declined.hold_id)
    assert again.state == holds_pb2.HOLD_STATE_DECLINED
    await credit.run.service.consumer.replay(credit.merchant, customer)
    assert await credit.parked(customer) == []
    assert (await credit.account(customer)).posted.units == 85_000
    assert await refused(credit.accounts.OpenAccount(mistaken_again(mistaken))) == "ACCOUNT_EXISTS"
    await credit.check_books(customer)


def mistaken_again(request):
    again = accounts_pb2.OpenAccountRequest()
    again.CopyFrom(request)
    again.request_id = new_uuid()
    return again


async def test_12_customers_with_a_currency_mistake_stop_no_one(credit):
    mistakes = [credit.opening(new_customer_id()) for _ in range(12)]
    for request in mistakes:
        request.minor_digits = 2
        await credit.accounts.OpenAccount(request)
    good = await credit.open()
    sales = [credit.sale(request.customer_id, (1_000, None)) for request in mistakes]
    await credit.deliver(*sales, credit.sale(good, (3_000, None)))
    assert (await credit.account(good)).posted.units == 3_000


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"time_zone": "Asia/Atlantis"}, "INVALID_TIME_ZONE"),
        ({"time_zone": "../etc/passwd"}, "INVALID_TIME_ZONE"),
        ({"currency_code": "rupiah"}, "INVALID_FIELDS"),
        ({"minor_digits": 9}, "INVALID_FIELDS"),
        ({"net_days": -1}, "INVALID_FIELDS"),
        ({"limit": Money(currency_code="IDR", units=-1)}, "INVALID_MONEY"),
        ({"limit": Money(currency_code="IDR", nanos=10)}, "INVALID_MONEY"),
        ({"request_id": "x"}, "INVALID_FIELDS"),
    ],
)
async def test_bad_openings_are_refused_and_nothing_is_written(credit, refused, fields, reason):
    request = credit.opening(new_customer_id())
    wrong = accounts_pb2.OpenAccountRequest(**fields)
    for field, _ in wrong.ListFields():
        request.ClearField(field.name)
    request.MergeFrom(wrong)
    assert await refused(credit.accounts.OpenAccount(request)) == reason
    assert await credit.count("accounts") == 0
