"""A process dies, once, at each place where a crash could cost something, and all is well afterwards."""

import uuid
from pathlib import Path

import asyncpg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from kit.testing import eventually
from langganan.customers.v1 import profiles_pb2
from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import ORIGIN, Books, Trade

CASH, CREDIT, POINTS = 76_500, 120_000, 40


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> Trade:
    shop = Trade(stack, till)
    await shop.open()
    return shop


async def a_customer_with_points(trade: Trade) -> str:
    """Somebody who has bought for cash before: 100 points, one message."""
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=100_000)
    await trade.stack.settled()
    await eventually(lambda: len(trade.mails(customer_id)) == 1, within=30)
    return customer_id


async def check_books(trade: Trade, customer_id: str) -> None:
    """After the first sale and the whole one: every point, rupiah and message, once."""
    await trade.stack.settled()
    await eventually(lambda: len(trade.mails(customer_id)) == 2, within=60)
    earned = (CASH + CREDIT + POINTS * 10) // 1_000
    expected = Books(100 - POINTS + earned, CREDIT, 0, (CREDIT,), 2, 2)
    assert await trade.books(customer_id) == expected


@pytest.mark.parametrize(
    ("service", "point"),
    [
        ("customers", "committed:record-purchase"),  # the sale is written, the till has no answer
        ("credit", "committed:authorize"),
        ("loyalty", "committed:reserve"),
        ("customers", "relay-sent"),  # Kafka has the sale, the outbox still too
        ("loyalty", "consumer-applied"),  # points are booked, the offset is not
        ("credit", "consumer-applied"),
        ("notify", "consumer-applied"),
        ("notify", "messages-claimed"),  # about to send
        ("notify", "message-sent"),  # the provider has it, nobody wrote that down
    ],
)
async def test_a_sale_survives_a_death(
    service: str, point: str, trade: Trade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_LEASE_S", "5")  # after which another try of a message begins
    monkeypatch.setenv("NOTIFY_SEND_TIMEOUT_S", "2")
    customer_id = await a_customer_with_points(trade)
    sale = trade.sell(customer_id, cash=CASH, credit=CREDIT, points=POINTS)
    await trade.dies_at(service, point, tmp_path, sale)
    await check_books(trade, customer_id)
    times = [1, 2] if point == "message-sent" else [1, 1]  # sent again under the same Message-ID
    await eventually(lambda: sorted(trade.mails(customer_id).values()) == times, within=30)


@pytest.mark.parametrize("point", ["vault-written:create", "customers-written"])
async def test_a_registration_that_dies_between_vault_and_customers_is_one_customer(
    point: str, trade: Trade, tmp_path: Path
) -> None:
    wanted = trade.new_customer()
    customer_id = await trade.dies_at("customers", point, tmp_path, trade.register(wanted))
    await trade.sell(customer_id, cash=CASH)
    await eventually(lambda: nothing_is_half_done(trade.stack), within=30)
    await trade.stack.settled()
    await eventually(lambda: len(trade.mails(customer_id)) == 1, within=30)
    assert await trade.books(customer_id) == Books(CASH // 1_000, 0, 0, (), 1, 1)
    identify = profiles_pb2.IdentifyRequest(email=trade.emails[customer_id], origin=ORIGIN)
    found = await trade.till.call("Identify", trade.till.profiles.Identify, identify)
    assert [match.customer_id for match in found.matches] == [customer_id]


async def test_an_update_whose_till_gives_up_is_completed_by_itself(trade: Trade, tmp_path: Path) -> None:
    customer_id = await trade.register()
    changed = profiles_pb2.Customer(customer_id=customer_id, full_name="Sari Lestari", city="Bandung")
    request = profiles_pb2.UpdateCustomerRequest(
        request_id=str(uuid.uuid4()),
        customer=changed,
        update_mask=FieldMask(paths=["full_name", "city"]),
        origin=ORIGIN,
    )
    # The till sends it once and is gone.
    await trade.dies_at("customers", "vault-written:update", tmp_path, trade.update_once(request))
    await eventually(lambda: nothing_is_half_done(trade.stack), within=30)
    asked = profiles_pb2.GetCustomerRequest(customer_id=customer_id, origin=ORIGIN)
    known = (await trade.till.call("GetCustomer", trade.till.profiles.GetCustomer, asked)).customer
    assert (known.full_name, known.city) == ("Sari Lestari", "Bandung")


async def nothing_is_half_done(stack: Stack) -> bool:
    vault = await asyncpg.connect(stack.database_urls["vault"])
    try:
        return not await vault.fetchval("SELECT count(*) FROM pending")
    finally:
        await vault.close()
