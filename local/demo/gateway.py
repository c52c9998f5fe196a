"""The POS gateway's line to the services: one channel each, retries under the same id, latencies noted."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message

from langganan.credit.v1 import accounts_pb2_grpc as credit_accounts
from langganan.credit.v1 import (
    allowances_pb2_grpc,
    holds_pb2_grpc,
    invoices_pb2_grpc,
    payments_pb2_grpc,
)
from langganan.customers.v1 import (
    contacts_pb2_grpc,
    merchants_pb2_grpc,
    profiles_pb2_grpc,
    purchases_pb2_grpc,
)
from langganan.loyalty.v1 import accounts_pb2_grpc as loyalty_accounts
from langganan.loyalty.v1 import programs_pb2_grpc, redemptions_pb2_grpc
from langganan.notify.v1 import messages_pb2_grpc
from local.demo.script import LOST, TWICE

AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,  # by a server on its way out
}
TRIES = 12
DEADLINE = 10.0  # seconds for one try
LONGEST_WAIT = 2.0  # seconds between tries
HANG_UP = 0.004  # seconds after which a till hangs up on purpose
OPTIONS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.use_local_subchannel_pool", 1)]

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)


class Gateway:
    """Calls the four services as one merchant's tills; `also`: more metadata of each call."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        token: str,
        options: Sequence[tuple[str, int | str]] = (),
        credentials: grpc.ChannelCredentials | None = None,
        also: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._channels = {
            service: grpc.aio.secure_channel(address, credentials, options=[*OPTIONS, *options])
            if credentials
            else grpc.aio.insecure_channel(address, options=[*OPTIONS, *options])
            for service, address in addresses.items()
        }
        self._metadata = (("authorization", f"Bearer {token}"), ("accept-language", "id"), *also)
        self.latency: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self.retries = 0
        self.doubled = 0
        self.lost = 0
        self.different: list[str] = []
        customers, loyalty, credit = (self._channels[name] for name in ("customers", "loyalty", "credit"))
        self.profiles = profiles_pb2_grpc.CustomerServiceStub(customers)
        self.contacts = contacts_pb2_grpc.ContactServiceStub(customers)
        self.purchases = purchases_pb2_grpc.PurchaseServiceStub(customers)
        self.merchants = merchants_pb2_grpc.MerchantServiceStub(customers)
        self.programs = programs_pb2_grpc.ProgramServiceStub(loyalty)
        self.redemptions = redemptions_pb2_grpc.RedemptionServiceStub(loyalty)
        self.points = loyalty_accounts.AccountServiceStub(loyalty)
        self.credit = credit_accounts.AccountServiceStub(credit)
        self.holds = holds_pb2_grpc.HoldServiceStub(credit)
        self.allowances = allowances_pb2_grpc.AllowanceServiceStub(credit)
        self.invoices = invoices_pb2_grpc.InvoiceServiceStub(credit)
        self.payments = payments_pb2_grpc.PaymentServiceStub(credit)
        self.messages = messages_pb2_grpc.MessageServiceStub(self._channels["notify"])

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close(None)

    async def call(
        self, name: str, method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply], request: Request
    ) -> Reply:
        """Send a request until it is answered; a final error is raised as grpc.aio.AioRpcError."""
        for turn in range(TRIES):
            started = time.perf_counter()
            try:
                answer: Reply = await method(request, metadata=self._metadata, timeout=DEADLINE)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN or turn == TRIES - 1:
                    raise
                self.retries += 1
                await asyncio.sleep(min(LONGEST_WAIT, 0.02 * 2**turn))
                continue
            self.latency[name].append(time.perf_counter() - started)
            return answer
        raise AssertionError("the last try returns or raises")

    async def deliver(
        self,
        name: str,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        delivery: str,
    ) -> Reply:
        """Send a write once, twice at the same time, or again after hanging up before its answer."""
        if delivery == TWICE:
            self.doubled += 1
            one, two = await asyncio.gather(
                self.call(name, method, request), self.call(name, method, request)
            )
            if decision(one) != decision(two):
                self.different.append(f"{name} sent twice was answered differently: {one} / {two}")
            return one
        if delivery == LOST:
            self.lost += 1
            call = method(request, metadata=self._metadata, timeout=DEADLINE)
            # Long enough that it arrives and is often carried out, short enough that the answer is lost.
            await asyncio.wait({asyncio.ensure_future(_outcome(call))}, timeout=HANG_UP)
            call.cancel()
        return await self.call(name, method, request)


async def _outcome(call: grpc.aio.UnaryUnaryCall[Request, Reply]) -> None:
    try:
        await call
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        return  # hung up, as meant; the repetition decides


def decision(reply: Message) -> Message:
    """The part of a reply that a repetition must give again: without balances of the moment.

    What only a later release says is no part of it: the other answer may be of an older one.
    """
    reply.DiscardUnknownFields()
    for name in ("hold", "reservation"):
        if name in reply.DESCRIPTOR.fields_by_name:
            return cast(Message, getattr(reply, name))
    return reply
