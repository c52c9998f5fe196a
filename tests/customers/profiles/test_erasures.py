"""Erasure over two databases and credit: what is left of a person, and that it ends wherever it stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from credit.app import build as build_credit
from credit.settings import Settings as CreditSettings
from customers import metrics
from customers.app import build
from customers.erasures import outside, store
from customers.erasures.balance import Balances
from customers.erasures.steps import Erasures
from customers.erasures.store import Ask
from customers.peers import Peer
from customers.settings import Settings
from customers.vault.plugins import FileKeys
from customers.vault.seal import BlindIndex, Keyring
from customers.vault.vault import Vault
from kit.events import Outgoing
from kit.ids import new_uuid
from kit.testing.running import running
from langganan.credit.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    holds_pb2,
    holds_pb2_grpc,
    invoices_pb2,
    invoices_pb2_grpc,
    payments_pb2,
    payments_pb2_grpc,
)
from langganan.customers.v1 import contacts_pb2, erasures_pb2, profiles_pb2
from langganan.events.v1 import credit_pb2, loyalty_pb2
from langganan.types.v1.origin_pb2 import Origin

ORIGIN = Origin(store_id="pusat", register_id="r1", staff_ref="staff-9")
ASKED, OPEN_BALANCE = erasures_pb2.ERASURE_STATE_ASKED, erasures_pb2.ERASURE_STATE_OPEN_BALANCE
ERASING, ERASED = erasures_pb2.ERASURE_STATE_ERASING, erasures_pb2.ERASURE_STATE_ERASED
# Of what the vault has a row a customer for; none may be left.
OF_A_PERSON = (
    "people", "sealed_fields", "contact_points", "contact_index", "search_index", "requests", "pending",
)  # fmt: skip


@pytest.fixture(scope="module")
async def credit(new_database: Any, keys: Any) -> AsyncIterator[Any]:
    """A real credit service, which lets the service `customers` read accounts."""
    settings = CreditSettings(
        database_url=await new_database("credit"),
        cluster_issuer="cluster",
        cluster_jwks_files=[keys.jwks],
        service_scopes={"customers": ["credit.accounts.read"]},
    )
    async with running("credit", build_credit, settings, keys) as run:
        yield run


@pytest.fixture(scope="module")
async def house(new_database: Any, keys: Any, credit: Any, tmp_path_factory: Any) -> AsyncIterator[Any]:
    """A customers service that asks this credit."""
    folder = tmp_path_factory.mktemp("erasures")
    token = folder / "token"
    token.write_text(keys.token(merchant=None, issuer="cluster", subject="customers"))
    vault_url = await new_database("customers", "vault/migrations", events=False)
    settings = Settings(
        database_url=await new_database("customers"),
        vault_database_url=vault_url,
        vault_keys_config={"path": str(folder / "keys.json"), "create": True},
        token_file=token,
        credit_target=f"127.0.0.1:{credit.port}",
    )
    async with (
        asyncpg.create_pool(vault_url, min_size=1, max_size=4) as vault,
        running("customers", build, settings, keys) as run,
    ):
        yield SimpleNamespace(run=run, settings=settings, vault=vault)


class Books:
    """What one customer does at credit."""

    def __init__(self, run: Any, merchant: str) -> None:
        self.run = run
        self.accounts: Any = run.stub(accounts_pb2_grpc.AccountServiceStub, merchant=merchant)
        self.holds: Any = run.stub(holds_pb2_grpc.HoldServiceStub, merchant=merchant)
        self.payments: Any = run.stub(payments_pb2_grpc.PaymentServiceStub, merchant=merchant)
        self.invoices: Any = run.stub(invoices_pb2_grpc.InvoiceServiceStub, merchant=merchant)

    async def open(self, customer_id: str) -> None:
        await self.accounts.OpenAccount(
            accounts_pb2.OpenAccountRequest(
                request_id=new_uuid(), customer_id=customer_id, currency_code="IDR",
                time_zone="Asia/Jakarta", limit=Money(currency_code="IDR", units=1_000_000), net_days=30,
            )
        )  # fmt: skip

    async def hold(self, customer_id: str) -> str:
        hold_id = new_uuid()
        request = holds_pb2.AuthorizeRequest(
            hold_id=hold_id, customer_id=customer_id, amount=Money(currency_code="IDR", units=50_000),
            origin=ORIGIN,
        )  # fmt: skip
        assert (await self.holds.Authorize(request)).hold.state == holds_pb2.HOLD_STATE_PENDING
        return hold_id

    async def owe(self, customer_id: str) -> None:
        await self.open(customer_id)
        hold_id = await self.hold(customer_id)
        await self.holds.Capture(
            holds_pb2.CaptureRequest(hold_id=hold_id, customer_id=customer_id, origin=ORIGIN)
        )

    async def pay(self, customer_id: str) -> list[Outgoing]:
        """Pay all; return what credit says of invoices that are paid."""
        await self.payments.RecordPayment(
            payments_pb2.RecordPaymentRequest(
                payment_id=new_uuid(), customer_id=customer_id, origin=ORIGIN,
                amount=Money(currency_code="IDR", units=50_000), method=payments_pb2.PAYMENT_METHOD_CASH,
            )
        )  # fmt: skip
        paid = [p for p in await self.run.published(credit_pb2.InvoicePaid) if p.customer_id == customer_id]
        return [Outgoing("invoice-paid", p.merchant_id, p.customer_id, p, self.run.clock.now()) for p in paid]

    async def give_up(self, customer_id: str) -> Outgoing:
        """Write off the one invoice; return what credit says of it."""
        asked = invoices_pb2.ListInvoicesRequest(customer_id=customer_id)
        (invoice,) = (await self.invoices.ListInvoices(asked)).invoices
        await self.invoices.WriteOff(
            invoices_pb2.WriteOffRequest(
                request_id=new_uuid(), customer_id=customer_id, invoice_id=invoice.invoice_id, reason="moved"
            )
        )  # fmt: skip
        (said,) = [
            p for p in await self.run.published(credit_pb2.InvoiceWrittenOff) if p.customer_id == customer_id
        ]
        return Outgoing("invoice-written-off", said.merchant_id, customer_id, said, self.run.clock.now())


@pytest.fixture
def books(credit: Any, desk: Any) -> Books:
    return Books(credit, desk.merchant)


def asking(customer_id: str, **fields: Any) -> erasures_pb2.EraseCustomerRequest:
    given = {"request_id": new_uuid(), "reason": "ASKED_AT_DESK", "origin": ORIGIN, **fields}
    return erasures_pb2.EraseCustomerRequest(customer_id=customer_id, **given)


async def erase(desk: Any, customer_id: str) -> Any:
    return (await desk.customers.EraseCustomer(asking(customer_id))).state


def steps_of(house: Any, profiles: Any, target: str = "") -> Erasures:
    """The steps by themselves, so that a test can stop between two of them."""
    settings = house.settings
    provider = FileKeys(FileKeys.Config(**settings.vault_keys_config))
    vault = Vault(house.vault, Keyring(provider, 100), BlindIndex(provider))
    peer = Peer("credit", target or settings.credit_target, settings, 0.5)
    return Erasures(house.run.pool, vault, profiles, Balances(peer), house.run.clock, 60.0)


def wish(desk: Any, customer_id: str) -> Ask:
    now = desk.run.clock.now()
    return Ask((desk.merchant, customer_id), new_uuid(), "X", "till-1", b"", ("", "", ""), now, 60.0)


async def swept(desk: Any) -> int:
    """One round of the sweep once the lease of whoever worked on this merchant's erasures is over."""
    over = "UPDATE erasures SET retry_at = now() - interval '1 second' WHERE merchant_id = $1"
    await desk.run.pool.execute(over, desk.merchant)
    done: int = await desk.run.sweep("erasures")
    return done


async def types(desk: Any, customer_id: str) -> list[str]:
    """The types of what was said of a customer, in order."""
    return [type(f).__name__ for f in await desk.facts(customer_id)]


async def test_nothing_that_describes_the_person_is_left_anywhere(
    desk: Any, point: Any, number: str, refused: Any
) -> None:
    made = await desk.create(
        "Srikandi Kartolo", point(number), point("nama.unik@toko.co.id"), nickname="Kartolo",
        birth_date=Date(year=1988, month=2, day=23), address="Jl. Melati 5x", postal_code="40999",
        gender=profiles_pb2.GENDER_FEMALE, city="Bandung", province="Jawa Barat", notes="alergi udang",
        language="en", time_zone="Asia/Makassar", acquisition_source="pameran", member_codes=["SK-0777"],
        credit_limit_wished=Money(currency_code="IDR", units=77_000),
    )  # fmt: skip
    await desk.update(made.customer_id, notes="alergi udang dan kepiting")
    await desk.consent(made.customer_id, address=number)
    assert await erase(desk, made.customer_id) == ERASED
    assert [await desk.count_vault(table) for table in OF_A_PERSON] == [0] * len(OF_A_PERSON)
    evidence = await desk.vault.fetch("SELECT * FROM consents WHERE customer_id = $1", made.customer_id)
    assert [(e["purpose"], e["token"], e["sealed"]) for e in evidence] == [("MARKETING", None, None)]
    after = await desk.get(made.customer_id)
    left = {f.name for f, _ in after.ListFields()}
    assert left == {"customer_id", "kind", "status", "registered_at", "updated_at", "etag"}
    assert after.status == profiles_pb2.CUSTOMER_STATUS_ERASED
    known = ({"phone": number}, {"email": "nama.unik@toko.co.id"}, {"member_code": "SK-0777"})
    for by in (*known, {"customer_id": made.customer_id}):
        assert await desk.identify(**by) == []
    (contact,) = await desk.reach(made.customer_id)
    assert contact.refusal == contacts_pb2.REFUSAL_ERASED
    assert (
        await refused(desk.customers.UpdateCustomer(desk.change(made.customer_id, city="Solo")))
    ).reason == ("CUSTOMER_ERASED")
    told = await types(desk, made.customer_id)
    assert told == ["CustomerRegistered", "CustomerUpdated", "CustomerErased"]
    again = await desk.create("Ani", point(number), member_codes=["SK-0777"])
    assert again.customer_id != made.customer_id, "number and code are free"


async def test_an_erasure_asked_for_sixteen_times_at_once_is_one(desk: Any, refused: Any) -> None:
    made = await desk.create("Budi")
    request = asking(made.customer_id)
    answers = await asyncio.gather(
        *(desk.customers.EraseCustomer(request) for _ in range(8)),
        *(desk.customers.EraseCustomer(asking(made.customer_id)) for _ in range(8)),
    )
    assert {a.asked_at.ToDatetime() for a in answers} == {answers[0].asked_at.ToDatetime()}
    last = await desk.customers.EraseCustomer(request)
    assert last.state == ERASED
    assert last.HasField("erased_at")
    assert (await types(desk, made.customer_id)).count("CustomerErased") == 1
    other = await desk.create("Ani")
    conflict = asking(other.customer_id, request_id=request.request_id)
    assert (await refused(desk.customers.EraseCustomer(conflict))).reason == "IDEMPOTENCY_CONFLICT"
    unknown = asking("0000000000000")
    assert (await refused(desk.customers.EraseCustomer(unknown))).reason == "CUSTOMER_NOT_FOUND"


async def test_who_owes_is_restricted_until_all_is_paid_and_then_erased_by_itself(
    desk: Any, books: Books, point: Any, number: str, refused: Any
) -> None:
    made = await desk.create("Budi", point(number))
    await books.owe(made.customer_id)
    assert await erase(desk, made.customer_id) == OPEN_BALANCE
    (match,) = await desk.identify(phone=number)
    assert (match.status, match.name) == (profiles_pb2.CUSTOMER_STATUS_RESTRICTED, "")
    (contact,) = await desk.reach(made.customer_id, purpose=contacts_pb2.PURPOSE_PAYMENT_REMINDER)
    assert contact.refusal == contacts_pb2.REFUSAL_RESTRICTED
    active = desk.change(made.customer_id, status=profiles_pb2.CUSTOMER_STATUS_ACTIVE)
    assert (await refused(desk.customers.UpdateCustomer(active))).reason == "ERASURE_PENDING"
    assert (await desk.update(made.customer_id, nickname="Bud")).status == (
        profiles_pb2.CUSTOMER_STATUS_RESTRICTED
    ), "what is wrong may be put right meanwhile"
    assert await swept(desk) == 0
    assert (await types(desk, made.customer_id)).count("CustomerErased") == 0
    restricted = [f for f in await desk.facts(made.customer_id) if getattr(f, "status", "") == "RESTRICTED"]
    assert [list(f.changed_fields) for f in restricted] == [["status"], ["nickname"]], "said once"
    await desk.run.deliver(*(await books.pay(made.customer_id)), topic="credit")
    assert await swept(desk) == 1
    assert (await desk.get(made.customer_id)).status == profiles_pb2.CUSTOMER_STATUS_ERASED
    assert (await types(desk, made.customer_id))[-1] == "CustomerErased"


async def test_a_payment_hurries_an_erasure_whose_turn_is_far_off(desk: Any, books: Books) -> None:
    made = await desk.create("Budi")
    await books.owe(made.customer_id)
    await erase(desk, made.customer_id)
    paid = await books.pay(made.customer_id)
    assert await desk.run.sweep("erasures") == 0
    await desk.run.deliver(*paid, topic="credit")
    assert await desk.run.sweep("erasures") == 1


async def test_a_debt_that_is_given_up_hurries_an_erasure_too(desk: Any, books: Books) -> None:
    made = await desk.create("Budi")
    await books.owe(made.customer_id)
    await erase(desk, made.customer_id)
    given_up = await books.give_up(made.customer_id)
    assert await desk.run.sweep("erasures") == 0
    await desk.run.deliver(given_up, topic="credit")
    assert await desk.run.sweep("erasures") == 1
    assert (await desk.get(made.customer_id)).status == profiles_pb2.CUSTOMER_STATUS_ERASED


async def test_a_pending_hold_is_open_too(desk: Any, books: Books) -> None:
    made = await desk.create("Budi")
    await books.open(made.customer_id)
    hold_id = await books.hold(made.customer_id)
    assert await erase(desk, made.customer_id) == OPEN_BALANCE
    await books.holds.Void(
        holds_pb2.VoidRequest(hold_id=hold_id, customer_id=made.customer_id, origin=ORIGIN)
    )
    assert await erase(desk, made.customer_id) == ERASED


async def test_while_credit_is_away_everything_stays_and_the_sweep_goes_on_later(
    house: Any, desk: Any, profiles: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    away = steps_of(house, profiles, "127.0.0.1:9")
    assert (await away.erase(wish(desk, made.customer_id))).state == store.ASKED
    assert (await away.advance((desk.merchant, made.customer_id))).state == store.ASKED
    await away.sweep(house.run.clock.now() + timedelta(hours=2))
    assert metrics.ERASURE_AGE.labels(store.ASKED)._value.get() >= 7_200
    assert [m.status for m in await desk.identify(phone=number)] == [profiles_pb2.CUSTOMER_STATUS_ACTIVE]
    assert await swept(desk) == 1
    assert metrics.ERASURE_AGE.labels(store.ASKED)._value.get() == 0
    assert await desk.identify(phone=number) == []


@pytest.mark.parametrize("done", [1, 2, 3], ids=["asked", "begun", "destroyed"])
async def test_a_process_that_died_after_any_step_leaves_nothing_undone(
    house: Any, desk: Any, profiles: Any, done: int
) -> None:
    made = await desk.create("Budi")
    asked, steps = wish(desk, made.customer_id), steps_of(house, profiles)
    for number in range(done):
        await ([steps.ask, steps.begin, steps.destroy][number])(asked if number == 0 else asked.key)
    if done > 1:
        assert await desk.identify(customer_id=made.customer_id) == []
        assert (await types(desk, made.customer_id))[-1] == "CustomerRegistered", (
            "nothing is said before it is true"
        )
    assert await swept(desk) == 1
    assert await swept(desk) == 0
    assert (await types(desk, made.customer_id)) == ["CustomerRegistered", "CustomerErased"]
    assert await desk.count_vault("people") == 0


async def test_a_hold_that_came_in_between_stops_an_erasure_that_had_begun(
    house: Any, desk: Any, books: Books, profiles: Any, point: Any, number: str
) -> None:
    made = await desk.create("Budi", point(number))
    await books.open(made.customer_id)
    steps, asked = steps_of(house, profiles), wish(desk, made.customer_id)
    await steps.ask(asked)
    await steps.begin(asked.key)
    await books.hold(made.customer_id)
    assert await swept(desk) == 0
    assert [m.status for m in await desk.identify(phone=number)] == [profiles_pb2.CUSTOMER_STATUS_RESTRICTED]
    assert (await desk.get(made.customer_id)).full_name == "Budi", "nothing was destroyed"


async def test_an_update_that_was_half_done_is_not_completed_after_the_erasure(
    desk: Any, dying: Any, sweep: Any
) -> None:
    made = await desk.create("Budi")
    written = await dying(desk.change(made.customer_id, city="Solo", notes="x"))
    assert await erase(desk, made.customer_id) == ERASED
    await sweep()
    assert (await desk.get(made.customer_id)).city == ""
    assert (await types(desk, made.customer_id)) == ["CustomerRegistered", "CustomerErased"]
    assert written.pending
    assert [await desk.count_vault(table) for table in OF_A_PERSON] == [0] * len(OF_A_PERSON)


async def test_whoever_completes_an_update_late_writes_nothing_of_an_erased_person(
    desk: Any, dying: Any, profiles: Any
) -> None:
    made = await desk.create("Budi")
    written = await dying(desk.change(made.customer_id, city="Solo"))
    assert await erase(desk, made.customer_id) == ERASED
    await profiles.complete(written.pending)
    assert (await desk.get(made.customer_id)).city == ""
    assert (await types(desk, made.customer_id)) == ["CustomerRegistered", "CustomerErased"]


async def test_numbers_are_taken_over_while_their_holders_are_erased(desk: Any, point: Any) -> None:
    numbers = [f"0813{n:08}" for n in range(12)]
    old = await asyncio.gather(*(desk.create("Budi", point(n)) for n in numbers))
    await asyncio.gather(
        *(desk.create("Ani", point(n), take_over=True) for n in numbers),
        *(erase(desk, o.customer_id) for o in old),
    )
    while await swept(desk):
        pass
    for one, address in zip(old, numbers, strict=True):
        assert (await types(desk, one.customer_id))[-1] == "CustomerErased"
        (match,) = await desk.identify(phone=address)
        assert match.name == "Ani"
    assert await desk.count_vault("people") == len(numbers)


async def test_a_tier_that_comes_late_says_nothing_of_an_erased_customer(desk: Any) -> None:
    made = await desk.create("Budi")
    await erase(desk, made.customer_id)
    change = loyalty_pb2.TierChanged(
        merchant_id=desk.merchant, customer_id=made.customer_id, to_tier="VIP", revision=9,
        effective_at=Timestamp(seconds=1),
    )  # fmt: skip
    now = desk.run.clock.now()
    event = Outgoing("tier-changed", desk.merchant, made.customer_id, change, now)
    await desk.run.deliver(event, topic="loyalty")
    assert (await desk.get(made.customer_id)).category == ""


async def test_a_restored_copy_forgets_again_whom_the_list_kept_outside_names(
    house: Any, desk: Any, profiles: Any, point: Any, number: str, tmp_path: Any
) -> None:
    made = await desk.create("Budi", point(number))
    copy = await backup(house, made.customer_id)
    await erase(desk, made.customer_id)
    kept = [line async for line in outside.listed(house.run.pool) if made.customer_id in line]
    assert len(kept) == 1
    assert number[1:] not in kept[0]
    await house.run.pool.execute("DELETE FROM erasures WHERE customer_id = $1", made.customer_id)
    await house.run.pool.execute("DELETE FROM customers WHERE customer_id = $1", made.customer_id)
    await restore(copy)
    assert [m.name for m in await desk.identify(phone=number)] == ["Budi"]
    steps = steps_of(house, profiles)
    lines = [json.loads(line) for line in kept]
    assert await outside.apply(steps, iter(lines)) == (1, 0)
    assert await desk.identify(phone=number) == []
    assert (await desk.get(made.customer_id)).status == profiles_pb2.CUSTOMER_STATUS_ERASED
    assert await desk.count_vault("people") == 0
    assert await outside.apply(steps, iter(lines)) == (1, 0), "and once more"
    nobody = {**lines[0], "customer_id": "0000000000000"}
    assert await outside.apply(steps, iter([nobody])) == (0, 1)
    assert (await types(desk, made.customer_id))[-1] == "CustomerErased"


async def test_a_record_of_the_vault_that_customers_lost_is_destroyed_by_a_line_of_the_list(
    house: Any, desk: Any, profiles: Any, point: Any, number: str
) -> None:
    lost = await desk.create("Budi", point(number))
    await house.run.pool.execute("DELETE FROM customers WHERE customer_id = $1", lost.customer_id)
    line = {
        "merchant_id": desk.merchant,
        "customer_id": lost.customer_id,
        "reason": "RESTORED",
        "asked_at": "2026-03-02T10:00:00Z",
    }
    assert await outside.apply(steps_of(house, profiles), iter([line])) == (0, 1)
    assert await desk.count_vault("people") == 0
    again = await desk.create("Budi", point(number))
    assert [m.customer_id for m in await desk.identify(phone=number)] == [again.customer_id]


Copy = list[tuple[Any, str, str]]


async def backup(house: Any, customer_id: str) -> Copy:
    """A copy of all rows of a customer in both databases: pool, table, rows as JSON."""
    vault = ["people", "contact_index", "contact_points", "sealed_fields", "search_index"]
    copy: Copy = []
    for pool, table in [(house.run.pool, "customers"), *((house.vault, name) for name in vault)]:
        rows = f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} AS t WHERE customer_id = $1"
        copy.append((pool, table, await pool.fetchval(rows, customer_id)))
    return copy


async def restore(copy: Copy) -> None:
    """Put a copy back as it was."""
    for pool, table, rows in copy:
        await pool.execute(
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE"
            f" SELECT * FROM json_populate_recordset(null::{table}, $1::text::json)",
            rows,
        )
