"""The one place where the customers service is wired."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from customers import events, metrics
from customers.audit.checks import audit_of
from customers.contacts.reading import Found, Inquiry, find_contacts
from customers.contacts.rpc import ContactService
from customers.erasures import handlers as erasing
from customers.erasures.balance import Balances
from customers.erasures.steps import Erasures
from customers.exports.export import Exports
from customers.exports.others import Others
from customers.exports.own import Own
from customers.merchants.rpc import MerchantService
from customers.merchants.store import Shops
from customers.peers import open_peers
from customers.profiles import handlers, store
from customers.profiles.identify import Candidate, Identifier, Question
from customers.profiles.limit import MissLimit
from customers.profiles.rpc import CustomerService
from customers.profiles.writing import Profiles
from customers.purchases import exceptions
from customers.purchases import rpc as purchases_rpc
from customers.settings import Settings
from customers.vault import read
from customers.vault.plugins import CONTRACT, GROUP
from customers.vault.seal import BlindIndex, Keyring
from customers.vault.sweep import HalfDone
from customers.vault.vault import Vault
from kit import db, plugins
from kit.batch import Batcher
from kit.events import Consumer, Handler
from kit.runtime import Database, Runtime, Service
from kit.sweep import Sweep, shown
from langganan.customers.v1 import (
    contacts_pb2_grpc,
    merchants_pb2_grpc,
    profiles_pb2_grpc,
    purchases_pb2_grpc,
)
from langganan.events.v1 import credit_pb2, loyalty_pb2

DATABASES = (
    Database.of("customers"),
    Database.of("customers", "vault/migrations", url_setting="vault_database_url", events=False),
)
HEARD = ("credit", "loyalty")
# One inquiry names up to 200 customers: so many of them share a transaction at most.
INQUIRIES_MAX = 10


async def build(runtime: Runtime[Settings]) -> Service:
    """Wire the service for one process."""
    settings = runtime.settings
    pool = await runtime.pool()
    vault = await open_vault(runtime)
    shops = Shops(settings.shops_cached_s)
    limit = miss_limit(settings)
    profiles = Profiles(pool, vault, store.Completion(shops), limit)
    purchases, recording = purchases_rpc.build(
        pool, runtime.clock, shops, max_batch=settings.batch_max, max_queue=settings.batch_queue_max
    )
    both = partial(db.transaction_beside, vault.pool, pool)
    identifier = Identifier(limit)
    identifying: Batcher[Question, list[Candidate]] = Batcher(
        "identify",
        both,
        identifier.run,
        key=lambda question: question.reader,
        merchant=lambda question: question.reader.merchant_id,
        max_batch=settings.batch_max,
        max_queue=settings.batch_queue_max,
    )
    inquiring: Batcher[Inquiry, Found] = Batcher(
        "get-contacts",
        both,
        find_contacts,
        key=lambda inquiry: inquiry.reader.merchant_id,
        merchant=lambda inquiry: inquiry.reader.merchant_id,
        max_batch=INQUIRIES_MAX,
        max_queue=settings.batch_queue_max,
    )
    clock = runtime.clock
    peers = open_peers(settings)
    erasures = Erasures(pool, vault, profiles, Balances(peers["credit"]), clock, settings.erasure_retry_s)
    exports = Exports(Own(pool, vault, shops), Others(peers, settings.export_timeout_s))
    return Service(
        pool=pool,
        servicers=[
            (
                profiles_pb2_grpc.add_CustomerServiceServicer_to_server,
                CustomerService(pool, vault, shops, profiles, identifying, erasures, exports, clock),
            ),
            (
                contacts_pb2_grpc.add_ContactServiceServicer_to_server,
                ContactService(pool, vault, shops, inquiring, clock),
            ),
            (
                merchants_pb2_grpc.add_MerchantServiceServicer_to_server,
                MerchantService(pool, shops, clock),
            ),
            (purchases_pb2_grpc.add_PurchaseServiceServicer_to_server, purchases),
        ],
        consumer=consumer(runtime, pool),
        sweeps=[
            *sweeps(settings, pool, vault, profiles),
            Sweep("erasures", settings.erasure_sweep_interval_s, io=erasures.sweep),
            shown(
                "exceptions",
                metrics.PURCHASE_EXCEPTIONS_OPEN,
                exceptions.open_by_reason,
                exceptions.REASONS,
            ),
        ],
        batchers=[recording, identifying, inquiring],
        audit=audit_of(pool, vault.pool),
        close=[peer.close for peer in peers.values()],
    )


async def erasures_of(runtime: Runtime[Settings]) -> tuple[Erasures, Callable[[], Awaitable[None]]]:
    """Wire erasures alone, for the operator's command; returns them and what closes them."""
    settings = runtime.settings
    pool, vault = await runtime.pool(), await open_vault(runtime)
    peers = open_peers(settings)
    profiles = Profiles(pool, vault, store.Completion(Shops(settings.shops_cached_s)), miss_limit(settings))
    balances, clock = Balances(peers["credit"]), runtime.clock

    async def close() -> None:
        for peer in peers.values():
            await peer.close()

    return Erasures(pool, vault, profiles, balances, clock, settings.erasure_retry_s), close


def miss_limit(settings: Settings) -> MissLimit:
    """How often a register may miss."""
    return MissLimit(settings.identify_misses_max, settings.identify_misses_window_s)


async def open_vault(runtime: Runtime[Settings]) -> Vault:
    """Open the vault's pool and find its keys; a provider that is absent or broken stops the start."""
    settings = runtime.settings
    provider = plugins.configure(
        plugins.load(GROUP, CONTRACT), settings.vault_keys_plugin, settings.vault_keys_config
    )
    pool = await runtime.pool(settings.vault_database_url, settings.vault_pool_max)
    return Vault(pool, Keyring(provider, settings.vault_keys_cached), BlindIndex(provider))


def consumer(runtime: Runtime[Settings], pool: db.Pool) -> Consumer:
    """What this service hears; types without a handler are passed over."""
    settings = runtime.settings
    return Consumer(
        pool=pool,
        group=events.TOPIC,
        broker=runtime.broker,
        topics=HEARD,
        handlers={
            "tier-changed": Handler(loyalty_pb2.TierChanged, handlers.tier_changed),
            "invoice-paid": Handler(credit_pb2.InvoicePaid, erasing.invoice_settled),
            "invoice-written-off": Handler(credit_pb2.InvoiceWrittenOff, erasing.invoice_settled),
        },
        lock=handlers.lock_customers,
        prefix=settings.topic_prefix,
    )


def sweeps(settings: Settings, pool: db.Pool, vault: Vault, profiles: Profiles) -> list[Sweep]:
    """Timed work: what a crash left half done, and counters of misses that are over."""

    async def existing(keys: set[tuple[str, str]]) -> set[tuple[str, str]]:
        async with pool.acquire(timeout=5) as conn:
            return await store.existing(conn, keys)

    half_done = HalfDone(
        vault.pool,
        existing,
        profiles.complete,
        complete_after_s=settings.vault_complete_after_s,
        withdraw_after_s=settings.vault_withdraw_after_s,
    )

    async def forget_misses(now: datetime) -> int:
        del now  # windows are wall time
        async with vault.pool.acquire(timeout=5) as conn:
            await read.forget_misses(conn, int(time.time()) - 2 * settings.identify_misses_window_s)
        return 0

    return [
        Sweep("half-done-writes", settings.vault_sweep_interval_s, io=half_done.run),
        Sweep("forget-misses", float(settings.identify_misses_window_s), io=forget_misses),
    ]
