"""The one place where loyalty is wired."""

from __future__ import annotations

from datetime import timedelta

from kit import plugins
from kit.batch import Batcher
from kit.events import Consumer, Handler
from kit.runtime import Database, Runtime, Service
from kit.sweep import Sweep, shown
from langganan.events.v1 import customers_pb2, purchases_pb2
from langganan.loyalty.v1 import (
    accounts_pb2_grpc,
    bookings_pb2_grpc,
    exports_pb2_grpc,
    programs_pb2_grpc,
    redemptions_pb2_grpc,
    tiers_pb2_grpc,
)
from loyalty import metrics
from loyalty.accounts import sweep as days
from loyalty.accounts.handlers import CustomerHandlers, lock
from loyalty.accounts.rpc import AccountService
from loyalty.audit.checks import AUDIT
from loyalty.bookings.rpc import BookingService
from loyalty.exports.rpc import ExportService
from loyalty.programs import plugins as earning
from loyalty.programs.rpc import ProgramService
from loyalty.programs.store import Programs
from loyalty.purchases import returned
from loyalty.purchases.completed import Completed
from loyalty.redemptions import sweep as lapses
from loyalty.redemptions.model import MARKS
from loyalty.redemptions.rpc import RedemptionService
from loyalty.redemptions.store import Reservations, open_exceptions
from loyalty.settings import Settings
from loyalty.tiers import plugins as tiers
from loyalty.tiers.rpc import TierService

DATABASES = (Database.of("loyalty"),)


async def build(runtime: Runtime[Settings]) -> Service:
    """Wire the service: pool, programs, batches, servicers, consumer."""
    settings, clock = runtime.settings, runtime.clock
    pool = await runtime.pool()
    programs = Programs(
        plugins.load(earning.GROUP, earning.CONTRACT), plugins.load(tiers.GROUP, tiers.CONTRACT)
    )
    batcher = Batcher(
        "reserve",
        pool,
        Reservations(programs).run,
        key=lambda request: (request.merchant_id, request.customer_id),
        merchant=lambda request: request.merchant_id,
        max_batch=settings.batch_max,
        max_queue=settings.batch_queue_max,
    )
    hold_for = timedelta(seconds=settings.reservation_s)
    redemption = RedemptionService(pool, clock, programs, batcher, hold_for)
    customers, completed = CustomerHandlers(programs), Completed(programs)
    return Service(
        pool=pool,
        servicers=[
            (programs_pb2_grpc.add_ProgramServiceServicer_to_server, ProgramService(pool, clock, programs)),
            (redemptions_pb2_grpc.add_RedemptionServiceServicer_to_server, redemption),
            (accounts_pb2_grpc.add_AccountServiceServicer_to_server, AccountService(pool, clock, programs)),
            (tiers_pb2_grpc.add_TierServiceServicer_to_server, TierService(pool, clock, programs)),
            (exports_pb2_grpc.add_ExportServiceServicer_to_server, ExportService(pool)),
            (bookings_pb2_grpc.add_BookingServiceServicer_to_server, BookingService(pool)),
        ],
        consumer=Consumer(
            pool=pool,
            group="loyalty",
            broker=runtime.broker,
            prefix=settings.topic_prefix,
            topics=["customers"],
            lock=lock,
            handlers={
                "customer-registered": Handler(customers_pb2.CustomerRegistered, customers.registered),
                "customer-updated": Handler(customers_pb2.CustomerUpdated, customers.updated),
                "customer-merged": Handler(customers_pb2.CustomerMerged, customers.merged),
                "customer-erased": Handler(customers_pb2.CustomerErased, customers.erased),
                "purchase-completed": Handler(purchases_pb2.PurchaseCompleted, completed.apply),
                "purchase-returned": Handler(purchases_pb2.PurchaseReturned, returned.apply),
            },
        ),
        sweeps=[
            Sweep(lapses.NAME, settings.sweep_s, run=lapses.run, waiting=lapses.waiting),
            Sweep(days.NAME, settings.sweep_s, run=days.Days(programs).run),
            shown("exceptions", metrics.EXCEPTIONS_OPEN, open_exceptions, MARKS),
        ],
        audit=AUDIT,
        batchers=[batcher],
    )
