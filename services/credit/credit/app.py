"""The one place where the credit service is wired."""

from __future__ import annotations

from datetime import timedelta

from credit import hears, metrics
from credit.accounts.rpc import AccountService
from credit.allowances.rpc import AllowanceService
from credit.audit.checks import AUDIT
from credit.bookings.rpc import BookingService
from credit.exports.rpc import ExportService
from credit.holds import sweep as expiry
from credit.holds.rpc import HoldService, authorizer
from credit.invoices import store
from credit.invoices.model import Mark
from credit.invoices.rpc import InvoiceService
from credit.limits import sweep as limits
from credit.merges import sweep as merges
from credit.notices import sweep as notices
from credit.payments.rpc import PaymentService
from credit.policies.codec import installed
from credit.policies.rpc import PolicyService
from credit.policies.store import Policies
from credit.settings import Settings
from credit.statements.rpc import StatementService
from kit.events import Consumer
from kit.runtime import Database, Runtime, Service
from kit.sweep import shown
from langganan.credit.v1 import (
    accounts_pb2_grpc,
    allowances_pb2_grpc,
    bookings_pb2_grpc,
    exports_pb2_grpc,
    holds_pb2_grpc,
    invoices_pb2_grpc,
    payments_pb2_grpc,
    policies_pb2_grpc,
    statements_pb2_grpc,
)

DATABASES = [Database.of("credit")]


async def build(runtime: Runtime[Settings]) -> Service:
    """Wire the service for the role that the runtime names."""
    settings, clock = runtime.settings, runtime.clock
    pool = await runtime.pool()
    policies = Policies(installed())
    batcher = authorizer(pool, policies, settings.batch_max, settings.batch_queue_max)
    ttl = timedelta(seconds=settings.hold_ttl_s)
    return Service(
        pool=pool,
        servicers=[
            (accounts_pb2_grpc.add_AccountServiceServicer_to_server, AccountService(pool, clock, policies)),
            (holds_pb2_grpc.add_HoldServiceServicer_to_server, HoldService(pool, clock, batcher, ttl)),
            (allowances_pb2_grpc.add_AllowanceServiceServicer_to_server, AllowanceService(pool, clock)),
            (invoices_pb2_grpc.add_InvoiceServiceServicer_to_server, InvoiceService(pool, clock)),
            (payments_pb2_grpc.add_PaymentServiceServicer_to_server, PaymentService(pool, clock)),
            (policies_pb2_grpc.add_PolicyServiceServicer_to_server, PolicyService(pool, clock, policies)),
            (statements_pb2_grpc.add_StatementServiceServicer_to_server, StatementService(pool)),
            (exports_pb2_grpc.add_ExportServiceServicer_to_server, ExportService(pool)),
            (bookings_pb2_grpc.add_BookingServiceServicer_to_server, BookingService(pool)),
        ],
        consumer=Consumer(
            pool=pool,
            group="credit",
            broker=runtime.broker,
            topics=hears.TOPICS,
            handlers=hears.HANDLERS,
            lock=hears.lock,
            prefix=settings.topic_prefix,
        ),
        sweeps=[
            expiry.sweep(),
            notices.sweep(policies, settings.notice_hour),
            limits.sweep(policies),
            merges.sweep(),
            shown("exceptions", metrics.EXCEPTIONS_OPEN, store.open_exceptions, Mark),
        ],
        audit=AUDIT,
        batchers=[batcher],
    )
