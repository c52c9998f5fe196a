"""A running loyalty service, and the things that its tests do to it."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from kit.testing.clock import ManualClock
from kit.testing.keys import Keys
from kit.testing.running import Running, running
from langganan.loyalty.v1 import (
    accounts_pb2,
    accounts_pb2_grpc,
    programs_pb2,
    programs_pb2_grpc,
    redemptions_pb2,
    redemptions_pb2_grpc,
    tiers_pb2,
    tiers_pb2_grpc,
)
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from loyalty.app import build
from loyalty.settings import Settings
from tests.loyalty.facts import NOON, Facts, a_line, instant, rupiah

TIERS = (("New", 10_000), ("Regular", 11_000), ("VIP", 12_500), ("Premium", 15_000))
THRESHOLDS = {"Regular": 2_000_000, "VIP": 12_000_000, "Premium": 30_000_000}
TILL = origin_pb2.Origin(store_id="s1", register_id="r1", staff_ref="k7", mode=origin_pb2.MODE_ONLINE)


def a_program(**changes: Any) -> programs_pb2.Program:
    """One point for each Rp 1,000, worth Rp 10; four tiers by the spend of a year."""
    made = programs_pb2.Program(
        effective_from=instant(NOON - timedelta(days=4000)),
        currency_code="IDR",
        earning=[programs_pb2.PluginChoice(plugin="per_amount", config_json='{"step": 1000}')],
        tier_plugin=programs_pb2.PluginChoice(
            plugin="rolling_spend",
            config_json=json.dumps({"window_days": 365, "thresholds": THRESHOLDS}),
        ),
        tiers=[
            programs_pb2.Tier(
                name=name,
                benefits=programs_pb2.Benefits(
                    multiplier_basis_points=multiplier, discount_basis_points=250 * place, priority=place
                ),
            )
            for place, (name, multiplier) in enumerate(TIERS)
        ],
        point_value=rupiah(10),
        expiry_months=12,
        excluded_tenders=[tender_pb2.TENDER_KIND_VOUCHER],
    )
    for name, value in changes.items():
        made.ClearField(name)
        if isinstance(value, list):
            getattr(made, name).extend(value)
        elif isinstance(value, (int, str)):
            setattr(made, name, value)
        elif value is not None:
            getattr(made, name).CopyFrom(value)
    return made


class Loyalty(Facts):
    """Clients of a running loyalty service for one merchant."""

    def __init__(self, run: Running) -> None:
        super().__init__(f"toko-{uuid.uuid4().hex[:8]}")
        self.run = run
        self.programs = self.stub(programs_pb2_grpc.ProgramServiceStub)
        self.accounts = self.stub(accounts_pb2_grpc.AccountServiceStub)
        self.tiers = self.stub(tiers_pb2_grpc.TierServiceStub)
        self.redemptions = self.stub(redemptions_pb2_grpc.RedemptionServiceStub)

    def stub(self, stub: Callable[[Any], Any], **options: Any) -> Any:
        return self.run.stub(stub, merchant=options.pop("merchant", self.merchant), **options)

    async def set_program(self, **changes: Any) -> programs_pb2.Program:
        request = programs_pb2.SetProgramRequest(request_id=new_uuid(), program=a_program(**changes))
        reply: programs_pb2.SetProgramResponse = await self.programs.SetProgram(request)
        return reply.program

    async def lose_tier_plugin(self) -> None:
        """Let the program name a tier plugin that is not installed, as after a roll without it."""
        sql = """insert into programs
            (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
        select merchant_id, version + 1, $2, fingerprint, effective_from, set_at,
            jsonb_set(content, '{tierPlugin,plugin}', '"gone"') || jsonb_build_object('version', version + 1)
        from programs where merchant_id = $1 order by version desc limit 1"""
        await self.run.pool.execute(sql, self.merchant, new_uuid())

    async def customer(self) -> str:
        """A new customer whose account is open."""
        made = new_customer_id()
        await self.run.deliver(self.registered(made))
        return made

    async def deliver(self, *events: Outgoing) -> None:
        await self.run.deliver(*events)

    async def given(self, customer: str, points: int) -> None:
        """Let a customer have points."""
        await self.adjust(customer, points)

    async def adjust(
        self, customer: str, points: int, adjustment_id: str | None = None, **fields: Any
    ) -> accounts_pb2.AdjustPointsResponse:
        request = accounts_pb2.AdjustPointsRequest(
            adjustment_id=adjustment_id or new_uuid(), customer_id=customer, points=points, reason="test"
        )
        for name, value in fields.items():
            if hasattr(value, "DESCRIPTOR"):
                getattr(request, name).CopyFrom(value)
            else:
                setattr(request, name, value)
        reply: accounts_pb2.AdjustPointsResponse = await self.accounts.AdjustPoints(request)
        return reply

    async def account(self, customer: str) -> accounts_pb2.Account:
        request = accounts_pb2.GetAccountRequest(customer_id=customer)
        reply: accounts_pb2.GetAccountResponse = await self.accounts.GetAccount(request)
        return reply.account

    async def entries(self, customer: str) -> list[tuple[str, int, str]]:
        """The ledger, oldest first: kind, points, line or tender."""
        request = accounts_pb2.ListEntriesRequest(customer_id=customer, page_size=200)
        found = (await self.accounts.ListEntries(request)).entries
        kind = accounts_pb2.EntryKind.Name
        rows = sorted(found, key=lambda e: e.entry_no)
        return [(kind(e.kind).removeprefix("ENTRY_KIND_"), e.points, e.line_id) for e in rows]

    async def reserve(
        self, customer: str, points: int, reservation_id: str | None = None
    ) -> redemptions_pb2.Reservation:
        request = redemptions_pb2.ReserveRequest(
            reservation_id=reservation_id or new_uuid(), customer_id=customer, points=points, origin=TILL
        )
        return (await self.redemptions.Reserve(request)).reservation

    async def release(self, customer: str, reservation_id: str) -> redemptions_pb2.Reservation:
        request = redemptions_pb2.ReleaseRequest(
            reservation_id=reservation_id, customer_id=customer, origin=TILL
        )
        return (await self.redemptions.Release(request)).reservation

    async def reservation(self, customer: str, reservation_id: str) -> redemptions_pb2.Reservation:
        request = redemptions_pb2.GetReservationRequest(reservation_id=reservation_id, customer_id=customer)
        return (await self.redemptions.GetReservation(request)).reservation

    async def exceptions(self, customer: str = "") -> list[redemptions_pb2.RedemptionException]:
        request = redemptions_pb2.ListExceptionsRequest(customer_id=customer)
        return list((await self.redemptions.ListExceptions(request)).exceptions)

    async def marks(self, customer: str = "") -> list[str]:
        """The marks of a customer's open exceptions, newest first."""
        name = redemptions_pb2.ExceptionMark.Name
        return [name(e.mark).removeprefix("EXCEPTION_MARK_") for e in await self.exceptions(customer)]

    async def pin(
        self, customer: str, tier: str, request_id: str | None = None, until: datetime | None = None
    ) -> tiers_pb2.TierStanding:
        request = tiers_pb2.SetTierRequest(
            request_id=request_id or new_uuid(), customer_id=customer, tier=tier, reason="complaint"
        )
        if until:
            request.until.CopyFrom(instant(until))
        return (await self.tiers.SetTier(request)).standing

    async def wake(self, at: datetime) -> int:
        """Let it be `at` and let the daily sweep do all that is due; returns how many customers."""
        self.run.clock.advance(at - self.run.clock.now())
        done = 0
        while swept := await self.run.sweep("days"):
            done += swept
        return done

    async def said(self, customer: str) -> list[Any]:
        """What the service has said about a customer, in order."""
        return [f for f in await self.run.published() if f.customer_id == customer]

    async def parked(self, customer: str) -> list[str]:
        """Why events of a customer are parked, in order."""
        rows = await self.run.pool.fetch(
            "select status from parked_events where merchant_id = $1 and key = $2 order by id",
            self.merchant,
            customer,
        )
        return [row["status"] for row in rows]

    async def count(self, table: str) -> int:
        """How many rows of a table this merchant has."""
        sql = f"select count(*) from {table} where merchant_id = $1"
        return int(await self.run.pool.fetchval(sql, self.merchant))

    async def explained(self, customer: str) -> accounts_pb2.ExplainBalanceResponse:
        """The balance explained, after checking that ledger, lots and reservations agree with it."""
        request = accounts_pb2.ExplainBalanceRequest(customer_id=customer)
        reply: accounts_pb2.ExplainBalanceResponse = await self.accounts.ExplainBalance(request)
        assert reply.consistent, reply
        account = reply.account
        assert account.balance == account.active + account.reserved + account.lapsed - account.negative
        in_lots = sum(lot.points_left for lot in reply.lots) + reply.more_lots.points
        assert account.balance == in_lots - account.negative == reply.folded_balance
        assert account.reserved == sum(held.points for held in reply.held) + reply.more_held.points
        return reply


@pytest.fixture(scope="session")
async def loyalty_service(keys: Keys, new_database: Callable[..., Awaitable[str]]) -> AsyncIterator[Running]:
    """One running service for the session; each test has a merchant of its own."""
    settings = Settings(database_url=await new_database("loyalty"))
    async with running("loyalty", build, settings, keys, ManualClock(NOON)) as run:
        yield run


@pytest.fixture(scope="session")
def own_service(
    keys: Keys, new_database: Callable[..., Awaitable[str]]
) -> Callable[[], contextlib.AbstractAsyncContextManager[Loyalty]]:
    """Opens a service of its own, for whoever lets time pass: a merchant whose points live a month."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Loyalty]:
        settings = Settings(database_url=await new_database("loyalty"))
        async with running("loyalty", build, settings, keys, ManualClock(NOON)) as run:
            made = Loyalty(run)
            await made.set_program(expiry_months=1, expiry_notice_days=7)
            yield made

    return opened


@pytest.fixture
async def timed(
    own_service: Callable[[], contextlib.AbstractAsyncContextManager[Loyalty]],
) -> AsyncIterator[Loyalty]:
    """A service of its own for one test."""
    async with own_service() as made:
        yield made


@pytest.fixture
async def bare(loyalty_service: Running) -> Loyalty:
    """The service, for a merchant without a program."""
    return Loyalty(loyalty_service)


@pytest.fixture
async def loyalty(bare: Loyalty) -> Loyalty:
    """The service, for a merchant with a program that no other test sees."""
    await bare.set_program()
    return bare


@pytest.fixture
def new_program() -> Callable[..., programs_pb2.Program]:
    """The program of these tests, with changes."""
    return a_program


@pytest.fixture
def new_line() -> Callable[..., line_pb2.Line]:
    """A line of a basket."""
    return a_line


@pytest.fixture
def till() -> origin_pb2.Origin:
    """Where the requests of these tests come from."""
    return TILL


@pytest.fixture
def someone_else(loyalty_service: Running) -> Loyalty:
    """The same service for another merchant."""
    return Loyalty(loyalty_service)


@pytest.fixture
async def another_process(
    loyalty_service: Running, keys: Keys, loyalty: Loyalty
) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """RedemptionService of one more server on the same database, as another pod would be; takes settings."""
    url, clock = loyalty_service.service.pool._connect_args[0], loyalty_service.clock
    async with contextlib.AsyncExitStack() as stack:

        async def start(**fields: Any) -> Any:
            settings = Settings(database_url=url, **fields)
            run = await stack.enter_async_context(running("loyalty", build, settings, keys, clock))
            return run.stub(redemptions_pb2_grpc.RedemptionServiceStub, merchant=loyalty.merchant)

        yield start


@pytest.fixture
async def other_processes(another_process: Callable[..., Awaitable[Any]]) -> list[Any]:
    """RedemptionService of three more servers."""
    return [await another_process() for _ in range(3)]
