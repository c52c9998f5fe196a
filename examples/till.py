"""A till: recognise, quote, authorise, record, look at the points. With `make up` running elsewhere:

    TOKEN=$(make -s token) .venv/bin/python examples/till.py

Every id is chosen here: whatever fails can be sent again with the same id, and happens once.
"""

import os
import time
import uuid

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

import langganan.customers.v1.merchants_pb2_grpc as merchants_grpc
import langganan.customers.v1.profiles_pb2_grpc as profiles_grpc
import langganan.customers.v1.purchases_pb2_grpc as purchases_grpc
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc, holds_pb2, holds_pb2_grpc
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2, purchases_pb2
from langganan.loyalty.v1 import programs_pb2, programs_pb2_grpc, redemptions_pb2, redemptions_pb2_grpc
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2

auth = {"metadata": (("authorization", f"Bearer {os.environ['TOKEN']}"),), "timeout": 10}
customers, loyalty, credit = (grpc.insecure_channel(f"127.0.0.1:{port}") for port in (7001, 7002, 7003))
origin = origin_pb2.Origin(store_id="S1", register_id="R1", mode=origin_pb2.MODE_ONLINE)


def new() -> str:
    return str(uuid.uuid4())


def rupiah(amount: int) -> Money:
    return Money(currency_code="IDR", units=amount)


# Once for the shop: its money and zone, and a program of one point for each Rp 1,000.
shop = merchants_pb2.Merchant(name="Toko Contoh", currency_code="IDR", time_zone="Asia/Jakarta")
set_merchant = merchants_grpc.MerchantServiceStub(customers).SetMerchant
set_merchant(merchants_pb2.SetMerchantRequest(request_id=new(), merchant=shop), **auth)
earning = programs_pb2.PluginChoice(plugin="per_amount", config_json='{"step": 1000}')
program = programs_pb2.Program(currency_code="IDR", earning=[earning], point_value=rupiah(10))
set_program = programs_pb2_grpc.ProgramServiceStub(loyalty).SetProgram
set_program(programs_pb2.SetProgramRequest(request_id=new(), program=program), **auth)

# Once for the customer: a phone to be recognised by, and credit of Rp 500,000 payable in 14 days.
phone = f"+62812{uuid.uuid4().int % 10**8:08d}"
contact = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=phone)
profile = profiles_pb2.Customer(full_name="Siti Rahayu", contact_points=[contact])
people = profiles_grpc.CustomerServiceStub(customers)
people.CreateCustomer(profiles_pb2.CreateCustomerRequest(request_id=new(), customer=profile), **auth)
siti = people.Identify(profiles_pb2.IdentifyRequest(phone=phone, origin=origin), **auth).matches[0]
who = {"customer_id": siti.customer_id}
terms = {"currency_code": "IDR", "time_zone": "Asia/Jakarta", "limit": rupiah(500_000), "net_days": 14}
open_account = accounts_pb2_grpc.AccountServiceStub(credit).OpenAccount
open_account(accounts_pb2.OpenAccountRequest(request_id=new(), **who, **terms), **auth)

# The sale: two lines, all of it on account.
rice = line_pb2.Line(line_id="1", name="Beras 5 kg", net=rupiah(74_500), kind=line_pb2.LINE_KIND_GOODS)
sugar = line_pb2.Line(line_id="2", name="Gula 1 kg", net=rupiah(17_500), kind=line_pb2.LINE_KIND_GOODS)
points = redemptions_pb2_grpc.RedemptionServiceStub(loyalty)
basket = redemptions_pb2.QuoteRequest(**who, lines=[rice, sugar], origin=origin)
print(f"{siti.name} will earn {points.Quote(basket, **auth).points_to_earn} points")
wish = holds_pb2.AuthorizeRequest(hold_id=new(), **who, amount=rupiah(92_000), origin=origin)
hold = holds_pb2_grpc.HoldServiceStub(credit).Authorize(wish, **auth).hold
if hold.state != holds_pb2.HOLD_STATE_PENDING:
    raise SystemExit(hold.decline.say)
on_account = tender_pb2.OnAccount(hold_id=hold.hold_id)
sale = purchases_pb2.RecordPurchaseRequest(
    purchase_id=new(), **who, origin=origin, lines=[rice, sugar], total=rupiah(92_000),
    tenders=[tender_pb2.Tender(tender_id="1", amount=rupiah(92_000), on_account=on_account)],
    occurred_at=Timestamp(seconds=int(time.time())),
)  # fmt: skip
purchases_grpc.PurchaseServiceStub(customers).RecordPurchase(sale, **auth)

time.sleep(1)  # the points follow by themselves
print(f"and has {points.Quote(basket, **auth).active_points} points now")
