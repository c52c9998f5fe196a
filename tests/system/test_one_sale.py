"""One cash sale through all four processes: recorded, points earned, confirmed by mail, crashes included."""

import asyncio
import json
import urllib.request
import uuid
from dataclasses import dataclass

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit.testing import eventually
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2, purchases_pb2
from langganan.loyalty.v1 import accounts_pb2, programs_pb2
from langganan.notify.v1 import messages_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from local.demo.gateway import Gateway
from local.part import Part, free_port
from local.services import command, environment
from local.settings import ROOT
from local.stack import Stack

ORIGIN = origin_pb2.Origin(store_id="S1", register_id="R1", staff_ref="kasir-1", mode=origin_pb2.MODE_ONLINE)
STEP = 1_000  # rupiah a point


@dataclass(frozen=True)
class Shop:
    """A shop that is open, and a customer of it."""

    till: Gateway
    customer_id: str
    email: str


def rupiah(amount: int) -> Money:
    return Money(currency_code="IDR", units=amount)


@pytest.fixture
async def shop(stack: Stack, till: Gateway) -> Shop:
    """The merchant and its program are set, one customer with an e-mail address is registered."""
    merchant = merchants_pb2.Merchant(
        name="Toko Maju", currency_code="IDR", time_zone="Asia/Jakarta", locale="id-ID"
    )
    request = merchants_pb2.SetMerchantRequest(request_id=str(uuid.uuid4()), merchant=merchant)
    await till.call("SetMerchant", till.merchants.SetMerchant, request)
    program = programs_pb2.Program(
        effective_from=Timestamp(seconds=int(stack.clock.now().timestamp()) - 86_400),
        currency_code="IDR",
        earning=[programs_pb2.PluginChoice(plugin="per_amount", config_json=json.dumps({"step": STEP}))],
        tier_plugin=programs_pb2.PluginChoice(
            plugin="rolling_spend", config_json=json.dumps({"window_days": 365, "thresholds": {"New": 0}})
        ),
        tiers=[programs_pb2.Tier(name="New", benefits=programs_pb2.Benefits(multiplier_basis_points=10_000))],
        point_value=rupiah(10),
    )
    request = programs_pb2.SetProgramRequest(request_id=str(uuid.uuid4()), program=program)
    await till.call("SetProgram", till.programs.SetProgram, request)
    email = f"sari.{uuid.uuid4().hex[:12]}@example.com"
    customer = profiles_pb2.Customer(
        kind=profiles_pb2.CUSTOMER_KIND_PERSON,
        full_name="Sari Wulandari",
        contact_points=[contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_EMAIL, address=email)],
        language="id",
    )
    request = profiles_pb2.CreateCustomerRequest(
        request_id=str(uuid.uuid4()), customer=customer, origin=ORIGIN
    )
    made = await till.call("CreateCustomer", till.profiles.CreateCustomer, request)
    return Shop(till, made.customer.customer_id, email)


def cash_sale(stack: Stack, customer_id: str, net: int) -> purchases_pb2.RecordPurchaseRequest:
    """One line, paid in cash, now."""
    return purchases_pb2.RecordPurchaseRequest(
        purchase_id=str(uuid.uuid4()),
        customer_id=customer_id,
        recognised_by=origin_pb2.RECOGNISED_BY_STAFF,
        origin=ORIGIN,
        receipt_number="0001",
        occurred_at=Timestamp(seconds=int(stack.clock.now().timestamp())),
        lines=[
            line_pb2.Line(
                line_id="1",
                product_id="beras-5kg",
                name="Beras 5 kg",
                kind=line_pb2.LINE_KIND_GOODS,
                quantity=line_pb2.Quantity(thousandths=1_000, unit="pcs"),
                net=rupiah(net),
            )
        ],
        tenders=[
            tender_pb2.Tender(
                tender_id="1",
                amount=rupiah(net),
                cash=tender_pb2.Cash(tendered=rupiah(net), change=rupiah(0)),
            )
        ],
        total=rupiah(net),
    )


async def balance(shop: Shop) -> int:
    request = accounts_pb2.GetAccountRequest(customer_id=shop.customer_id)
    return (await shop.till.call("GetAccount", shop.till.points.GetAccount, request)).account.balance


async def test_a_cash_sale_earns_points_and_is_confirmed_once(stack: Stack, shop: Shop) -> None:
    sale = cash_sale(stack, shop.customer_id, 76_500)
    first = await shop.till.call("RecordPurchase", shop.till.purchases.RecordPurchase, sale)
    again = await shop.till.call("RecordPurchase", shop.till.purchases.RecordPurchase, sale)
    assert first == again
    await stack.settled()
    assert await balance(shop) == 76
    mails = stack.mail.to(shop.email)
    assert len(mails) == 1
    assert "76.500" in mails[0].text()
    request = messages_pb2.ListMessagesRequest(customer_id=shop.customer_id)
    listed = await shop.till.call("ListMessages", shop.till.messages.ListMessages, request)
    assert [message.state for message in listed.messages] == [messages_pb2.MESSAGE_STATE_SENT]


@pytest.mark.parametrize("service", ["loyalty", "notify", "customers"])
async def test_what_was_sold_while_a_service_was_down_arrives_once_it_is_back(
    service: str, stack: Stack, shop: Shop
) -> None:
    await stack.settled()
    sale = cash_sale(stack, shop.customer_id, 20_000)
    if service == "customers":  # it takes the sale, and dies before anybody was told
        await shop.till.call("RecordPurchase", shop.till.purchases.RecordPurchase, sale)
        stack.kill(service)
    else:
        stack.kill(service)
        await shop.till.call("RecordPurchase", shop.till.purchases.RecordPurchase, sale)
    await stack.restart(service)
    await stack.settled()
    assert await balance(shop) == 20
    await eventually(lambda: len(stack.mail.to(shop.email)) == 1, within=40)


async def test_a_service_may_run_as_two_processes_that_scale_apart(stack: Stack, shop: Shop) -> None:
    await stack.settled()
    assert stack.parts["loyalty"].stop() == 0
    env = environment("loyalty", stack.settings, stack.around)
    logs, http = stack.home / "logs", free_port()
    serve = Part("serve", command("loyalty", "serve"), log=logs / "serve.log", env=env, cwd=ROOT)
    # On one machine the two differ in the port of their health; a worker binds no port for calls.
    work_env = {**env, "LOYALTY_HTTP_PORT": str(http)}
    work = Part("work", command("loyalty", "work"), log=logs / "work.log", env=work_env, cwd=ROOT)
    try:
        serve.start()
        await eventually(lambda: asyncio.to_thread(answers, stack.http["loyalty"], "/ready"), within=60)
        async with grpc.aio.insecure_channel(stack.grpc["loyalty"]) as channel:
            asked = health_pb2.HealthCheckRequest(service="langganan.loyalty.v1.AccountService")
            health = health_pb2_grpc.HealthStub(channel)

            async def serving() -> bool:
                answer = await health.Check(asked)
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

            assert await eventually(serving)
        sale = cash_sale(stack, shop.customer_id, 30_000)
        await shop.till.call("RecordPurchase", shop.till.purchases.RecordPurchase, sale)
        assert await balance(shop) == 0, "what serves works on no event"
        work.start()
        assert await eventually(lambda: balance(shop), within=60) == 30
        assert work.stop() == 0
        assert serve.stop() == 0
    finally:
        work.kill()
        serve.kill()
        await stack.restart("loyalty")


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def test_every_service_stops_in_order_with_exit_code_0(stack: Stack) -> None:
    part = stack.parts["credit"]
    assert part.stop() == 0
    await stack.restart("credit")
    await stack.settled()
