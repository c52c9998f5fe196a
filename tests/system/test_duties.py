"""Duties to persons and to the books, on the real stack: erase, export, reconcile, say again, audit."""

import json
import re
import urllib.request
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import grpc.aio
import pytest

from kit.testing import eventually
from langganan.credit.v1 import payments_pb2
from langganan.customers.v1 import erasures_pb2, exports_pb2, profiles_pb2, profiles_pb2_grpc
from langganan.loyalty.v1 import accounts_pb2 as points_pb2
from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import ORIGIN, Trade, operate, rupiah

ERASED = erasures_pb2.ERASURE_STATE_ERASED


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> Trade:
    shop = Trade(stack, till)
    await shop.open()
    return shop


async def erase(trade: Trade, customer_id: str) -> int:
    """Ask for an erasure until it is answered; return how far it has come."""
    request = erasures_pb2.EraseCustomerRequest(
        request_id=str(uuid.uuid4()), customer_id=customer_id, origin=ORIGIN
    )
    return (await trade.till.call("EraseCustomer", trade.till.profiles.EraseCustomer, request)).state


async def standing(trade: Trade, customer_id: str) -> profiles_pb2.Customer:
    request = profiles_pb2.GetCustomerRequest(customer_id=customer_id, origin=ORIGIN)
    return (await trade.till.call("GetCustomer", trade.till.profiles.GetCustomer, request)).customer


async def rows(stack: Stack, database: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(stack.database_urls[database])
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def heard_by_all(trade: Trade, customer_id: str) -> bool:
    """Whether loyalty, credit and notify know of the erasure."""
    tables = {"loyalty": "accounts", "credit": "accounts", "notify": "recipients"}
    return all(
        [
            await rows(
                trade.stack,
                name,
                f"SELECT 1 FROM {table} WHERE customer_id = $1 AND erased_at IS NOT NULL",
                customer_id,
            )
            for name, table in tables.items()
        ]
    )


async def test_who_owes_is_erased_by_itself_once_all_is_paid(trade: Trade) -> None:
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=30_000, credit=40_000)
    await trade.stack.settled()
    assert await erase(trade, customer_id) == erasures_pb2.ERASURE_STATE_OPEN_BALANCE
    assert (await standing(trade, customer_id)).status == profiles_pb2.CUSTOMER_STATUS_RESTRICTED
    payment = payments_pb2.RecordPaymentRequest(
        payment_id=str(uuid.uuid4()),
        customer_id=customer_id,
        amount=rupiah(40_000),
        method=payments_pb2.PAYMENT_METHOD_CASH,
        origin=ORIGIN,
    )
    await trade.till.call("RecordPayment", trade.till.payments.RecordPayment, payment)
    await trade.stack.settled()

    async def done() -> bool:
        return (await standing(trade, customer_id)).status == profiles_pb2.CUSTOMER_STATUS_ERASED

    assert await eventually(done, within=30)
    await trade.stack.settled()
    assert await heard_by_all(trade, customer_id)
    assert not await rows(trade.stack, "vault", "SELECT 1 FROM people WHERE customer_id = $1", customer_id)


@pytest.mark.parametrize("step", ["ask", "begin", "destroy", "finish"])
async def test_an_erasure_whose_process_dies_after_a_step_comes_to_its_end(
    step: str, trade: Trade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMERS_ERASURE_RETRY_S", "1")  # the lease of whoever died
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=30_000)
    await trade.stack.settled()
    await trade.dies_at("customers", f"committed:{step}", tmp_path, erase(trade, customer_id))

    async def done() -> bool:
        return await erase(trade, customer_id) == ERASED

    assert await eventually(done, within=60)
    await trade.stack.settled()
    assert await heard_by_all(trade, customer_id)
    assert not await rows(trade.stack, "vault", "SELECT 1 FROM people WHERE customer_id = $1", customer_id)


async def export(trade: Trade, customer_id: str) -> dict[str, list[dict[str, object]]]:
    """Everything that the four services know of a customer, by "service.kind"."""
    found: dict[str, list[dict[str, object]]] = {}
    async with grpc.aio.insecure_channel(trade.stack.grpc["customers"]) as channel:
        stream = profiles_pb2_grpc.CustomerServiceStub(channel).ExportCustomer(
            exports_pb2.ExportCustomerRequest(customer_id=customer_id, origin=ORIGIN, reason="LETTER"),
            metadata=(("authorization", f"Bearer {trade.stack.token()}"),),
            timeout=30,
        )
        async for answer in stream:
            for record in answer.records:
                found.setdefault(f"{record.service}.{record.kind}", []).append(json.loads(record.json))
    return found


async def test_an_export_gathers_what_all_four_services_keep(trade: Trade) -> None:
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=30_000, credit=40_000)
    await trade.stack.settled()
    found = await export(trade, customer_id)
    assert found["customers.profile"][0]["full_name"] == "Sari Wulandari"
    assert trade.emails[customer_id] in json.dumps(found["customers.profile"])
    assert [p["total"] for p in found["customers.purchases"]] == [70_000]
    assert [e["points"] for e in found["loyalty.entries"]] == [70]
    assert [i["amount"] for i in found["credit.invoices"]] == [40_000]
    assert [m["template"] for m in found["notify.messages"]] == ["purchase-confirmation"]
    assert "EXPORT" in [e["action"] for e in found["customers.access_log"]]


def gauge(stack: Stack, name: str, audit: str) -> float | None:
    """A gauge of an audit, as the worker of customers shows it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.http['customers']}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(rf'^{name}{{audit="{audit}"}} (\S+)$', text, re.MULTILINE)
    return float(found.group(1)) if found else None


@asynccontextmanager
async def taken_out(stack: Stack, database: str, table: str, where: str) -> AsyncIterator[None]:
    """Delete rows by hand, and put them back as they were."""
    kept = await rows(stack, database, f"SELECT json_agg(t)::text FROM {table} AS t WHERE {where}")
    assert kept[0][0], "there is something to delete"
    await rows(stack, database, f"DELETE FROM {table} WHERE {where}")
    yield
    found = await rows(
        stack,
        database,
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
        table,
    )
    columns = ", ".join(row[0] for row in found)
    await rows(
        stack,
        database,
        f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"
        f" SELECT {columns} FROM json_populate_recordset(null::{table}, $1::text::json)",
        kept[0][0],
    )


async def reconciled(trade: Trade, purchase_id: str) -> tuple[int, set[tuple[str, str]]]:
    """Reconcile today; (exit code, (check, customer) of what is said of a purchase). The gauge agrees."""
    day = trade.stack.clock.now().date().isoformat()
    code, said = await operate(trade.stack, "customers", "reconcile", "--day", day, "--show", "1000")
    found = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert code == (1 if found else 0), said
    await trade.stack.settled()
    assert gauge(trade.stack, "langganan_audit_differences", "reconcile") == len(found)
    return code, {(d["check"], d["customer_id"]) for d in found if purchase_id in d["what"]}


async def test_reconcile_finds_a_posting_deleted_by_hand_and_says_so(trade: Trade) -> None:
    stack = trade.stack
    customer_id = await trade.register()
    purchase_id = await trade.sell(customer_id, cash=30_000, credit=40_000)
    await stack.settled()
    assert (await reconciled(trade, purchase_id))[1] == set()
    async with taken_out(stack, "loyalty", "entries", f"cause_id = '{purchase_id}'"):
        assert await reconciled(trade, purchase_id) == (1, {("loyalty", customer_id)})
    invoice = f"(SELECT invoice_id FROM invoices WHERE purchase_id = '{purchase_id}')"
    async with taken_out(stack, "credit", "entries", f"invoice_id = {invoice}"):
        assert await reconciled(trade, purchase_id) == (1, {("credit", customer_id)})
        async with taken_out(stack, "credit", "invoices", f"purchase_id = '{purchase_id}'"):
            assert await reconciled(trade, purchase_id) == (1, {("credit", customer_id)})
    assert (await reconciled(trade, purchase_id))[1] == set()


async def test_what_is_right_stays_when_everything_is_said_again(trade: Trade) -> None:
    customers = [await trade.register() for _ in range(3)]
    for one in customers:
        await trade.sell(one, cash=30_000, credit=40_000)
        await trade.sell(one, cash=20_000)
    await trade.stack.settled()
    right = [await trade.books(one) for one in customers]
    for _ in range(2):
        code, said = await operate(
            trade.stack,
            "customers",
            "republish",
            "--from",
            "2026-01-01T00:00:00Z",
            "--to",
            "2027-12-31T00:00:00Z",
        )
        assert code == 0, said
        await trade.stack.settled()
    assert [await trade.books(one) for one in customers] == right


async def test_the_operators_commands_of_customers_say_what_they_did(trade: Trade, tmp_path: Path) -> None:
    gone = await trade.register()
    assert await erase(trade, gone) == ERASED
    code, said = await operate(trade.stack, "customers", "audit")
    assert code == 0, said
    code, said = await operate(trade.stack, "customers", "erasures")
    assert code == 0, said
    assert gone in [json.loads(line)["customer_id"] for line in said.splitlines() if line.startswith("{")]
    kept = tmp_path / "erasures.jsonl"
    kept.write_text("\n".join(line for line in said.splitlines() if gone in line))
    code, said = await operate(trade.stack, "customers", "erasures", "apply", str(kept))
    assert (code, "erased again 1" in said) == (0, True), said
    code, said = await operate(trade.stack, "customers", "rotate-keys", "--status")
    assert code == 0, said
    assert "key k1 is needed for" in said
    wrong = await operate(
        trade.stack,
        "customers",
        "republish",
        "--from",
        "2026-02-01T00:00:00Z",
        "--to",
        "2026-01-01T00:00:00Z",
    )
    assert wrong[0] == 1


async def test_points_of_an_erased_customer_stay_in_the_books(trade: Trade) -> None:
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=30_000)
    await trade.stack.settled()
    assert await erase(trade, customer_id) == ERASED
    await trade.stack.settled()
    request = points_pb2.GetAccountRequest(customer_id=customer_id)
    account = (await trade.till.call("GetAccount", trade.till.points.GetAccount, request)).account
    assert account.balance == 30
