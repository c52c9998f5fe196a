"""A whole running customers service with its vault, and what tests of profiles and contacts do to it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from customers.app import build, miss_limit
from customers.merchants.store import Shops
from customers.profiles import rpc, store
from customers.profiles.writing import Profiles
from customers.settings import Settings
from customers.vault.plugins import FileKeys
from customers.vault.read import Reader
from customers.vault.seal import BlindIndex, Keyring
from customers.vault.store import Written
from customers.vault.sweep import HalfDone
from customers.vault.vault import Vault
from kit.ids import new_uuid
from kit.testing.clock import ManualClock
from kit.testing.keys import Keys
from kit.testing.refusals import refusal
from kit.testing.running import Running, running
from langganan.customers.v1 import (
    contacts_pb2,
    contacts_pb2_grpc,
    merchants_pb2,
    merchants_pb2_grpc,
    profiles_pb2,
    profiles_pb2_grpc,
)
from langganan.types.v1.origin_pb2 import MODE_ONLINE, Origin

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
ORIGIN = Origin(store_id="pusat", register_id="r1", staff_ref="staff-9", mode=MODE_ONLINE)


@dataclass
class Desk:
    """Clients of a running customers service for one merchant that no other test sees."""

    run: Running
    vault: asyncpg.Pool[asyncpg.Record]
    merchant: str
    customers: profiles_pb2_grpc.CustomerServiceAsyncStub
    contacts: contacts_pb2_grpc.ContactServiceAsyncStub
    merchants: merchants_pb2_grpc.MerchantServiceAsyncStub

    async def set_merchant(self, **fields: Any) -> merchants_pb2.Merchant:
        merchant = {"name": "Toko Maju", "currency_code": "IDR", "time_zone": "Asia/Jakarta", **fields}
        request = merchants_pb2.SetMerchantRequest(
            request_id=new_uuid(), merchant=merchants_pb2.Merchant(**merchant)
        )
        return (await self.merchants.SetMerchant(request)).merchant

    def creation(
        self,
        name: str = "Budi Santoso",
        *points: contacts_pb2.ContactPoint,
        take_over: bool = False,
        **fields: Any,
    ) -> profiles_pb2.CreateCustomerRequest:
        customer = profiles_pb2.Customer(full_name=name, contact_points=points, **fields)
        return profiles_pb2.CreateCustomerRequest(
            request_id=new_uuid(), customer=customer, take_over=take_over, origin=ORIGIN
        )

    async def create(self, *arguments: Any, **fields: Any) -> profiles_pb2.Customer:
        return (await self.customers.CreateCustomer(self.creation(*arguments, **fields))).customer

    async def get(self, customer_id: str) -> profiles_pb2.Customer:
        request = profiles_pb2.GetCustomerRequest(customer_id=customer_id, origin=ORIGIN, reason="test")
        return (await self.customers.GetCustomer(request)).customer

    def change(
        self, customer_id: str, *, etag: str = "", take_over: bool = False, **fields: Any
    ) -> profiles_pb2.UpdateCustomerRequest:
        request = profiles_pb2.UpdateCustomerRequest(
            request_id=new_uuid(),
            customer=profiles_pb2.Customer(customer_id=customer_id, **fields),
            etag=etag,
            take_over=take_over,
            origin=ORIGIN,
        )
        request.update_mask.paths.extend(fields)
        return request

    async def update(self, *arguments: Any, **fields: Any) -> profiles_pb2.Customer:
        return (await self.customers.UpdateCustomer(self.change(*arguments, **fields))).customer

    async def identify(self, register: str = "r1", **by: Any) -> list[profiles_pb2.Match]:
        origin = Origin(store_id="pusat", register_id=register, staff_ref="staff-9")
        reply = await self.customers.Identify(profiles_pb2.IdentifyRequest(origin=origin, **by))
        return list(reply.matches)

    async def reach(
        self, *ids: str, purpose: contacts_pb2.Purpose.ValueType = contacts_pb2.PURPOSE_MARKETING
    ) -> list[contacts_pb2.CustomerContact]:
        request = contacts_pb2.GetContactsRequest(customer_ids=ids, purpose=purpose)
        return list((await self.contacts.GetContacts(request)).contacts)

    def consenting(self, customer_id: str, **fields: Any) -> contacts_pb2.SetConsentRequest:
        given: dict[str, Any] = {
            "purpose": contacts_pb2.PURPOSE_MARKETING,
            "channel": contacts_pb2.CHANNEL_PHONE,
            "state": contacts_pb2.CONSENT_STATE_GIVEN,
            "notice_version": "2026-1",
            "notice_language": "id",
            "method": contacts_pb2.CONSENT_METHOD_TILL_SCREEN,
            "evidence_ref": "form-17",
            "origin": ORIGIN,
            **fields,
        }
        return contacts_pb2.SetConsentRequest(request_id=new_uuid(), customer_id=customer_id, **given)

    async def consent(self, customer_id: str, **fields: Any) -> contacts_pb2.Consent:
        return (await self.contacts.SetConsent(self.consenting(customer_id, **fields))).consent

    async def facts(self, customer_id: str) -> list[Any]:
        """What the service has said about a customer, in order."""
        return [f for f in await self.run.published() if f.customer_id == customer_id]

    async def count(self, table: str) -> int:
        """How many rows of a table of the customers database this merchant has."""
        sql = f"SELECT count(*) FROM {table} WHERE merchant_id = $1"
        return int(await self.run.pool.fetchval(sql, self.merchant))

    async def count_vault(self, table: str) -> int:
        """How many rows of a table of the vault this merchant has."""
        return int(
            await self.vault.fetchval(f"SELECT count(*) FROM {table} WHERE merchant_id = $1", self.merchant)
        )


@dataclass
class House:
    """The running service and its two databases."""

    run: Running
    settings: Settings
    vault: asyncpg.Pool[asyncpg.Record]


@pytest.fixture(scope="session")
async def house(
    keys: Keys, new_database: Callable[..., Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """One running service for the session."""
    path: Path = tmp_path_factory.mktemp("vault") / "keys.json"
    vault_url = await new_database("customers", "vault/migrations", events=False)
    settings = Settings(
        database_url=await new_database("customers"),
        vault_database_url=vault_url,
        vault_keys_config={"path": str(path), "create": True},
    )
    async with (
        asyncpg.create_pool(vault_url, min_size=1, max_size=2) as vault,
        running("customers", build, settings, keys, ManualClock(NOON)) as run,
    ):
        yield House(run, settings, vault)


def desk_of(house: House, merchant: str) -> Desk:
    customers: Any = house.run.stub(profiles_pb2_grpc.CustomerServiceStub, merchant=merchant)
    contacts: Any = house.run.stub(contacts_pb2_grpc.ContactServiceStub, merchant=merchant)
    merchants: Any = house.run.stub(merchants_pb2_grpc.MerchantServiceStub, merchant=merchant)
    return Desk(house.run, house.vault, merchant, customers, contacts, merchants)


@pytest.fixture
async def desk(house: House) -> Desk:
    """The service, for a merchant in Jakarta that no other test sees."""
    desk = desk_of(house, f"toko-{uuid.uuid4().hex[:8]}")
    await desk.set_merchant()
    return desk


@pytest.fixture
async def neighbour(house: House) -> Desk:
    """Another merchant on the same service."""
    desk = desk_of(house, f"toko-{uuid.uuid4().hex[:8]}")
    await desk.set_merchant(name="Toko Sebelah")
    return desk


@pytest.fixture
def profiles(house: Any) -> Profiles:
    """The writer of profiles, to be stopped between its two steps."""
    limit = miss_limit(house.settings)
    return Profiles(house.run.pool, vault_of(house), store.Completion(Shops()), limit)


@pytest.fixture
async def sweep(house: Any, profiles: Profiles) -> Any:
    """`await sweep()`: one round of the sweep as if a day had passed since the crash."""

    async def existing(keys: Any) -> Any:
        async with house.run.pool.acquire() as conn:
            return await store.existing(conn, keys)

    half_done = HalfDone(
        house.vault, existing, profiles.complete, complete_after_s=-86_400, withdraw_after_s=-86_400
    )

    async def run() -> int:
        return await half_done.run(house.run.clock.now())

    return run


def vault_of(house: Any) -> Vault:
    provider = FileKeys(FileKeys.Config(**house.settings.vault_keys_config))
    return Vault(house.vault, Keyring(provider, 100), BlindIndex(provider))


@pytest.fixture
def dying(profiles: Profiles, desk: Any) -> Any:
    """`await dying(request)`: the first step of a write, after which the process dies."""
    who = Reader(desk.merchant, "till-1", "pusat", "r1", "staff-9")

    async def first_step(request: Any) -> Written:
        now = desk.run.clock.now()
        if isinstance(request, profiles_pb2.UpdateCustomerRequest):
            return await profiles.seal_update(rpc.update(request, who, now))
        key = (desk.merchant, "pusat")
        shop = (await Shops().look_up(desk.run.pool, [key], now))[key]
        return await profiles.seal_registration(rpc.registration(request, who, shop, now))

    return first_step


@pytest.fixture(scope="session")
def refused() -> Callable[[Awaitable[Any]], Awaitable[Any]]:
    """`await refused(call)`: the whole ErrorInfo, for refusals here name fields and holders."""
    return refusal


@pytest.fixture(scope="session")
def point() -> Callable[..., contacts_pb2.ContactPoint]:
    """point("0812…"), point("x@toko.co.id"): a contact point of the channel that the address speaks of."""

    def make(address: str, **fields: Any) -> contacts_pb2.ContactPoint:
        channel = contacts_pb2.CHANNEL_EMAIL if "@" in address else contacts_pb2.CHANNEL_PHONE
        return contacts_pb2.ContactPoint(**{"channel": channel, "address": address, **fields})

    return make


@pytest.fixture
def number() -> str:
    """An Indonesian mobile number that no other test uses, as dialled."""
    return f"0812{uuid.uuid4().int % 10**8:08}"
