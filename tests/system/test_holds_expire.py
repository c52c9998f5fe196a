"""A hold that nobody used, through the real broker: it expires once all is heard; its sale is late then."""

import uuid
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from langganan.credit.v1 import accounts_pb2, holds_pb2, invoices_pb2
from langganan.customers.v1 import merchants_pb2, profiles_pb2, purchases_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from local.demo.gateway import Gateway
from local.stack import Stack

ORIGIN = origin_pb2.Origin(store_id="S1", register_id="R1", staff_ref="kasir-1", mode=origin_pb2.MODE_ONLINE)
LIMIT = 100_000


def rupiah(amount: int) -> Money:
    return Money(currency_code="IDR", units=amount)


async def authorize(till: Gateway, customer: str, hold_id: str) -> holds_pb2.Hold:
    request = holds_pb2.AuthorizeRequest(
        hold_id=hold_id, customer_id=customer, amount=rupiah(LIMIT), origin=ORIGIN
    )
    return (await till.call("Authorize", till.holds.Authorize, request)).hold


def on_account_sale(stack: Stack, customer: str, hold_id: str) -> purchases_pb2.RecordPurchaseRequest:
    tender = tender_pb2.Tender(
        tender_id="1", amount=rupiah(LIMIT), on_account=tender_pb2.OnAccount(hold_id=hold_id)
    )
    line = line_pb2.Line(
        line_id="1",
        product_id="beras-5kg",
        name="Beras 5 kg",
        kind=line_pb2.LINE_KIND_GOODS,
        quantity=line_pb2.Quantity(thousandths=1_000, unit="pcs"),
        net=rupiah(LIMIT),
    )
    return purchases_pb2.RecordPurchaseRequest(
        purchase_id=str(uuid.uuid4()),
        customer_id=customer,
        recognised_by=origin_pb2.RECOGNISED_BY_STAFF,
        origin=ORIGIN,
        occurred_at=Timestamp(seconds=int(stack.clock.now().timestamp())),
        lines=[line],
        tenders=[tender],
        total=rupiah(LIMIT),
    )


async def test_settled_means_that_what_is_over_has_expired_and_a_sale_after_that_is_late(
    stack: Stack, till: Gateway
) -> None:
    merchant = merchants_pb2.Merchant(
        name="Toko Maju", currency_code="IDR", time_zone="Asia/Jakarta", locale="id-ID"
    )
    shop = merchants_pb2.SetMerchantRequest(request_id=str(uuid.uuid4()), merchant=merchant)
    await till.call("SetMerchant", till.merchants.SetMerchant, shop)
    person = profiles_pb2.Customer(kind=profiles_pb2.CUSTOMER_KIND_PERSON, full_name="Budi Santoso")
    create = profiles_pb2.CreateCustomerRequest(request_id=str(uuid.uuid4()), customer=person, origin=ORIGIN)
    customer = (await till.call("CreateCustomer", till.profiles.CreateCustomer, create)).customer.customer_id
    opening = accounts_pb2.OpenAccountRequest(
        request_id=str(uuid.uuid4()),
        customer_id=customer,
        currency_code="IDR",
        time_zone="Asia/Jakarta",
        limit=rupiah(LIMIT),
        net_days=14,
    )
    await till.call("OpenAccount", till.credit.OpenAccount, opening)
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    assert (await authorize(till, customer, first)).state == holds_pb2.HOLD_STATE_PENDING

    await stack.move(stack.clock.now() + timedelta(minutes=16))
    assert (await authorize(till, customer, first)).state == holds_pb2.HOLD_STATE_EXPIRED
    assert (await authorize(till, customer, second)).state == holds_pb2.HOLD_STATE_PENDING

    sales = [on_account_sale(stack, customer, hold_id) for hold_id in (first, second)]
    for sale in sales:
        await till.call("RecordPurchase", till.purchases.RecordPurchase, sale)
    await stack.settled()
    listing = invoices_pb2.ListExceptionsRequest(customer_id=customer)
    (late,) = (await till.call("ListExceptions", till.invoices.ListExceptions, listing)).exceptions
    assert (late.kind, late.purchase_id) == (invoices_pb2.EXCEPTION_KIND_LATE, sales[0].purchase_id)
    request = accounts_pb2.GetAccountRequest(customer_id=customer)
    account = (await till.call("GetAccount", till.credit.GetAccount, request)).account
    assert (account.posted.units, account.held.units) == (2 * LIMIT, 0)
