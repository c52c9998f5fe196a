"""The audit passes healthy books, however they came to be, and names whatever was tampered with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from dataclasses import dataclass

import grpc
import pytest

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import holds_pb2
from tests.credit.offline import grant, hand_in, promise, under
from tests.credit.paying import confirming, giro, giving_up, paying_out, reverse


@dataclass
class Books:
    """One customer's books with one of everything, and the ids of it."""

    customer: str
    sold: str  # invoice of a sale with a hold: 100,000, of which 40,000 were paid and 30,000 returned
    charged: str  # invoice of a captured hold: 20,000
    captured: str  # the hold of the sale
    payment: str
    exception: str


async def books_of(credit) -> Books:
    customer = await credit.open(limit=1_000_000)
    hold = await credit.authorize(customer, 120_000)
    sale = credit.sale(customer, (100_000, hold.hold_id))
    await credit.deliver(sale)
    payment = new_uuid()
    await credit.pay(customer, 40_000, payment)
    await credit.deliver(credit.returned(sale, 30_000))
    capture = await credit.capture(await credit.authorize(customer, 20_000))
    await credit.deliver(credit.sale(customer, (5_000, None)))
    await credit.authorize(customer, 7_000)
    (marked,) = await credit.exceptions_of(customer)
    sold = (await credit.hold(customer, hold.hold_id)).invoice_id
    return Books(customer, sold, capture.invoice_id, hold.hold_id, payment, marked.exception_id)


async def audited(credit):
    return await run_audit(credit.run.pool, AUDIT)


async def test_books_with_one_of_everything_pass(alone):
    credit = await alone()
    await books_of(credit)
    outcome = await audited(credit)
    assert (outcome.looked_at, outcome.differences) == (1, 0)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE accounts SET posted = posted + 1",
            [
                "balances: posted, by the entries: 55000, not 55001",
                "balances: posted, by the invoices: 55000, not 55001",
            ],
        ),
        ("UPDATE accounts SET held = 6999", ["balances: held, by the pending holds: 7000, not 6999"]),
        ("UPDATE accounts SET credit_balance = 1", ["balances: credit_balance, by the entries: 0, not 1"]),
        (
            "UPDATE invoices SET paid = 40001 WHERE invoice_id = '{sold}'",
            [
                "balances: posted, by the invoices: 54999, not 55000",
                "invoices: paid of invoice {sold}: 40000, not 40001",
            ],
        ),
        (
            "UPDATE invoices SET returned = 29999, paid = 40001 WHERE invoice_id = '{sold}'",
            [
                "invoices: paid of invoice {sold}: 40000, not 40001",
                "invoices: returned of invoice {sold}: 30000, not 29999",
            ],
        ),
        (
            "UPDATE invoices SET settled_at = now() WHERE invoice_id = '{sold}'",
            ["invoices: settled of invoice {sold}: false, not true"],
        ),
        ("UPDATE payments SET amount = 40002", ["payments: amount of payment {payment}: 40000, not 40002"]),
        ("UPDATE payments SET unapplied = 3", ["payments: unapplied of payment {payment}: 0, not 3"]),
        (
            "DELETE FROM payments",
            [
                "causes: cause of entry {PAID}, PAID by PAYMENT {payment}: payment and invoice, not none",
            ],
        ),
        (
            "UPDATE invoices SET tender_id = 't9' WHERE invoice_id = '{sold}'",
            ["causes: cause of entry {CHARGED}, CHARGED by PURCHASE {purchase}: invoice {sold}, not none"],
        ),
        (
            "UPDATE holds SET invoice_id = NULL WHERE hold_id = '{captured}'",
            ["holds: captured of hold {captured}, CAPTURED: at most 0, not 100000 on none"],
        ),
        (
            "UPDATE holds SET captured = 100001 WHERE hold_id = '{captured}'",
            ["holds: captured of hold {captured}, CAPTURED: at most 100000, not 100001 on invoice {sold}"],
        ),
        (
            "DELETE FROM invoice_exceptions",
            ["exceptions: exception of invoice {marked}: UNAUTHORISED, not none"],
        ),
        (
            "UPDATE invoice_exceptions SET invoice_id = '{captured}'",
            [
                "exceptions: exception of invoice {marked}: UNAUTHORISED, not none",
                "exceptions: invoice of exception {exception}, UNAUTHORISED: invoice {captured}, not none",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_was_tampered_with_is_found_and_named_with_its_figure(alone, sql, expected):
    credit = await alone()
    await books_of(credit)
    books = await books_of(credit)
    names = await names_in(credit, books)
    text = sql.format(**names)
    theirs = f"{text}{' AND' if ' WHERE ' in text else ' WHERE'} customer_id = '{books.customer}'"
    assert await credit.run.pool.execute(theirs) in ("UPDATE 1", "DELETE 1")
    outcome = await audited(credit)
    assert (outcome.looked_at, outcome.differences) == (2, len(expected))
    assert {(d.merchant_id, d.customer_id) for d in outcome.first} == {(credit.merchant, books.customer)}
    said = [f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in outcome.first]
    assert sorted(said) == [line.format(**names) for line in expected]


async def names_in(credit, books):
    """The ids that the table above speaks of; entries of the sale's invoice by their effect."""
    entries = await credit.run.pool.fetch("SELECT * FROM entries WHERE invoice_id = $1", books.sold)
    (marked,) = await credit.exceptions_of(books.customer)
    return vars(books) | {
        "marked": marked.invoice_id,
        "purchase": next(e["cause_id"] for e in entries if e["effect"] == "CHARGED"),
        **{e["effect"]: e["entry_id"] for e in entries},
    }


async def test_a_deleted_charge_is_found_on_the_account_and_the_invoice(alone):
    credit = await alone()
    books = await books_of(credit)
    await credit.run.pool.execute("DELETE FROM entries WHERE cause_type = 'CAPTURE'")
    found = {(d.what, d.must, d.found) for d in (await audited(credit)).first}
    assert found == {
        ("posted, by the entries", "35000", "55000"),
        (f"amount of invoice {books.charged}", "0", "20000"),
    }


async def a_promise(credit, allowance, customer, chance):
    """A hold of a till without a line: its sale may come before or after, or never, and it may be voided."""
    made = promise(customer, chance.randint(1, 60_000))
    sale = credit.sale(customer, (chance.randint(1, 60_000), made.hold_id))
    for _ in range(chance.randint(1, 4)):
        match chance.randrange(4):
            case 0:
                await credit.deliver(sale)
            case 1:
                with contextlib.suppress(grpc.aio.AioRpcError):  # captured
                    await credit.void(customer, made.hold_id)
            case _:
                await hand_in(credit, allowance, made)


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_history_has_no_difference(alone, seed):
    credit = await alone()
    chance = random.Random(seed)
    customers = [await credit.open(limit=200_000) for _ in range(4)] + [new_customer_id()]
    sales, payments = [], []
    allowance = await grant(credit, 400_000, customer_limit=150_000)

    async def step() -> None:
        customer = chance.choice(customers)
        match chance.randrange(13):
            case 0:
                await credit.authorize(customer, chance.randint(1, 60_000))
            case 1:
                hold = await credit.authorize(customer, chance.randint(1, 60_000))
                if hold.state == holds_pb2.HOLD_STATE_PENDING and chance.random() < 0.5:
                    await credit.capture(hold, chance.randint(1, hold.amount.units))
                sales.append(credit.sale(customer, (chance.randint(1, 60_000), hold.hold_id)))
                await credit.deliver(sales[-1])
            case 2:
                hold = await credit.authorize(customer, chance.randint(1, 60_000))
                await credit.void(customer, hold.hold_id)
            case 3:
                amounts = [chance.randint(1, 9_000) for _ in range(2)]
                sales.append(credit.sale(customer, *((amount, None) for amount in amounts)))
                await credit.deliver(sales[-1])
            case 4 if sales:
                sale = chance.choice(sales)
                await credit.deliver(credit.returned(sale, chance.randint(1, 30_000)), sale)
            case 5 if payments:
                with contextlib.suppress(grpc.aio.AioRpcError):  # reversed before, or not pending
                    await reverse(credit, chance.choice(payments))
            case 6 if payments:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await credit.payments.ConfirmPayment(confirming(chance.choice(payments)))
            case 7 if customer != customers[-1]:
                payments.append(await giro(credit, customer, chance.randint(1, 80_000)))
                credit_balance = (await credit.account(customer)).credit_balance.units
                if credit_balance:
                    with contextlib.suppress(grpc.aio.AioRpcError):  # a sale has used it meanwhile
                        await credit.payments.PayOut(paying_out(customer, credit_balance))
            case 8 if invoices := await credit.invoices_of(customer):
                with contextlib.suppress(grpc.aio.AioRpcError):  # settled
                    await credit.invoices.WriteOff(giving_up(customer, chance.choice(invoices).invoice_id))
            case 9:
                sales.append(under(credit, allowance, customer, chance.randint(1, 60_000)))
                await credit.deliver(sales[-1])
            case 10:
                await a_promise(credit, allowance, customer, chance)
            case _ if customer != customers[-1]:
                payments.append(await credit.pay(customer, chance.randint(1, 80_000), allow=True))

    for _ in range(25):
        await asyncio.gather(*(step() for _ in range(4)))
    outcome = await audited(credit)
    assert outcome.first == []
    assert outcome.looked_at == len(customers)
    for some in (
        "FROM payments WHERE state = 'REVERSED'",
        "FROM allowance_uses WHERE kind = 'SALE'",
        "FROM allowance_uses WHERE kind = 'HOLD'",
    ):
        assert await credit.run.pool.fetchval(f"SELECT count(*) {some}"), some


async def command(credit, *arguments):
    """Run `python -m credit …` on the service's database; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "credit",
        *arguments,
        env=os.environ | {"CREDIT_DATABASE_URL": credit.database_url},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode()


async def test_the_operators_command_says_what_differs_and_exits_with_1(alone):
    credit = await alone()
    books = await books_of(credit)
    assert await command(credit, "audit") == (0, "looked at 1 customers, found 0 differences\n")
    await credit.run.pool.execute("UPDATE accounts SET held = held + 500")
    code, said = await command(credit, "audit")
    assert code == 1
    assert books.customer in said
    assert '"must": "7000", "found": "7500"' in said
