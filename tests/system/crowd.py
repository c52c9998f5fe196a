"""64 tills of one shop at a running credit service: they repeat, hang up, and remember every answer."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kit.events import Outgoing
from kit.events.envelope import as_record
from kit.ids import new_customer_id
from langganan.credit.v1 import (
    accounts_pb2,
    holds_pb2,
    payments_pb2,
)
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import tender_pb2
from local.stack import Stack
from tests.system.line import Line
from tests.system.trade import ORIGIN, rupiah

TILLS = 64
DECLINED, PENDING = holds_pb2.HOLD_STATE_DECLINED, holds_pb2.HOLD_STATE_PENDING
CAPTURED, VOIDED = holds_pb2.HOLD_STATE_CAPTURED, holds_pb2.HOLD_STATE_VOIDED


@dataclass
class Wish:
    """A hold that was asked for, and what the tills were told and did; amounts in rupiah."""

    hold_id: str
    customer: str
    amount: int
    answer: int | None = None  # the first decision that any till received: PENDING or DECLINED
    end: int = PENDING  # what became of it
    charged: int = 0

    def ask(self) -> holds_pb2.AuthorizeRequest:
        """The request; each till that asks says the same."""
        return holds_pb2.AuthorizeRequest(
            hold_id=self.hold_id, customer_id=self.customer, amount=rupiah(self.amount), origin=ORIGIN
        )

    def hear(self, hold: holds_pb2.Hold) -> None:
        """Compare an answer with those before it: an id has one decision, whoever asks and however often."""
        said = DECLINED if hold.state == DECLINED else PENDING
        assert self.answer in (None, said), f"{self} was answered {hold}"
        assert (hold.hold_id, hold.amount.units) == (self.hold_id, self.amount)
        self.answer = said


@dataclass
class Crowd:
    """A shop whose tills sell on account to `customers`, and what they know must be in its books."""

    stack: Stack
    seed: int
    limit: int
    merchant: str = field(default_factory=lambda: f"toko-{uuid.uuid4().hex[:8]}")
    customers: list[str] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    payments: int = 0
    seen: Counter[str] = field(default_factory=Counter)  # what happened to calls: status names and ways

    async def __aenter__(self) -> Crowd:
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.stack.kafka_bootstrap, enable_idempotence=True, linger_ms=5
        )
        await self.producer.start()
        token = self.stack.token(merchant=self.merchant)
        self.tills = [Till(self, token, number) for number in range(TILLS)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.gather(*(till.line.close() for till in self.tills))
        await self.producer.stop()

    async def open(self, count: int) -> None:
        """Open so many accounts, each till its share."""
        self.customers = [new_customer_id() for _ in range(count)]
        await asyncio.gather(*(till.open(self.customers[till.number :: TILLS]) for till in self.tills))

    async def trade(self, enough: Callable[[int], bool]) -> None:
        """Let all tills trade at once; each is told by its number of rounds whether they are enough."""
        async with asyncio.TaskGroup() as group:
            for till in self.tills:
                group.create_task(till.trade(enough))

    async def ask_all_again(self) -> None:
        """Ask for every hold once more, each through some till; each answer is the one it had."""
        shares = [self.wishes[till.number :: TILLS] for till in self.tills]
        await asyncio.gather(*(till.ask_again(share) for till, share in zip(self.tills, shares, strict=True)))

    @property
    def answered(self) -> int:
        """How many holds a till was told of, approved or declined."""
        return sum(wish.answer is not None for wish in self.wishes)

    @property
    def approved(self) -> list[Wish]:
        """The holds that a till was told are approved."""
        return [wish for wish in self.wishes if wish.answer == PENDING]

    def owed(self) -> Counter[str]:
        """What each customer must owe, less what the shop owes them, by what the tills were told."""
        owed: Counter[str] = Counter()
        for wish in self.wishes:
            owed[wish.customer] += wish.charged
        owed.subtract(self.paid)
        return owed

    def held(self) -> Counter[str]:
        """What must be held of each customer."""
        held: Counter[str] = Counter()
        for wish in self.approved:
            held[wish.customer] += wish.amount if wish.end == PENDING else 0
        return held


class Till:
    """One client on a connection of its own; its dice decide what it does and how."""

    def __init__(self, crowd: Crowd, token: str, number: int) -> None:
        self.number = number
        self._crowd = crowd
        self._dice = random.Random(f"{crowd.seed}/{number}")
        self.line = Line(crowd.stack.grpc["credit"], token, self._dice, crowd.seen)

    def id(self) -> str:
        """A new id, from the dice."""
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    async def open(self, customers: Sequence[str]) -> None:
        """Open accounts for these."""
        for customer in customers:
            request = accounts_pb2.OpenAccountRequest(
                request_id=self.id(),
                customer_id=customer,
                currency_code="IDR",
                minor_digits=0,
                time_zone="Asia/Jakarta",
                limit=rupiah(self._crowd.limit),
                net_days=30,
            )
            await self.line.answered("OpenAccount", request)

    async def trade(self, enough: Callable[[int], bool]) -> None:
        """Sell, now and then take a payment, now and then ask for what another till has asked for."""
        done = 0
        while not enough(done):
            await self._sell()
            if self._dice.random() < 0.25:
                await self._take_payment()
            if self._dice.random() < 0.2:
                await self.ask_again([self._dice.choice(self._crowd.wishes)])
            done += 1

    async def ask_again(self, wishes: Sequence[Wish]) -> None:
        """Ask for holds that were asked for before."""
        for wish in wishes:
            wish.hear((await self.line.answered("Authorize", wish.ask())).hold)

    async def _sell(self) -> None:
        crowd = self._crowd
        amount = self._dice.randint(1, crowd.limit // 6)
        wish = Wish(self.id(), self._somebody(), amount)
        crowd.wishes.append(wish)
        for reply in await self._send("Authorize", wish.ask()):
            wish.hear(reply.hold)
        if wish.answer == PENDING:
            ends = [self._capture, self._void, self._capture_and_void, self._record, self._leave]
            await self._dice.choices(ends, weights=(25, 20, 10, 25, 20))[0](wish)

    async def _capture(self, wish: Wish) -> None:
        for reply in await self._send("Capture", self._part_of(wish)):
            self._hear_captured(wish, reply.hold)

    async def _void(self, wish: Wish) -> None:
        request = holds_pb2.VoidRequest(hold_id=wish.hold_id, customer_id=wish.customer, origin=ORIGIN)
        for reply in await self._send("Void", request):
            assert reply.hold.state == VOIDED
        wish.end = VOIDED

    async def _capture_and_void(self, wish: Wish) -> None:
        """Capture while another till voids: one of them is refused, and told what the other did."""
        capture = self._part_of(wish)
        void = holds_pb2.VoidRequest(hold_id=wish.hold_id, customer_id=wish.customer, origin=ORIGIN)
        captured, voided = await asyncio.gather(
            self.line.answered("Capture", capture),
            self._another().answered("Void", void),
            return_exceptions=True,
        )
        if isinstance(captured, BaseException):
            assert isinstance(captured, grpc.aio.AioRpcError), captured
            assert captured.code() is grpc.StatusCode.FAILED_PRECONDITION, captured
            assert not isinstance(voided, BaseException), voided
            assert voided.hold.state == VOIDED
            wish.end = VOIDED
        else:
            assert isinstance(voided, grpc.aio.AioRpcError), "it is captured or voided, never both"
            assert voided.code() is grpc.StatusCode.FAILED_PRECONDITION, voided
            self._hear_captured(wish, captured.hold)
        self._crowd.seen["raced"] += 1

    def _part_of(self, wish: Wish) -> holds_pb2.CaptureRequest:
        amount = self._dice.choice((wish.amount, self._dice.randint(1, wish.amount)))
        return holds_pb2.CaptureRequest(
            hold_id=wish.hold_id, customer_id=wish.customer, amount=rupiah(amount), origin=ORIGIN
        )

    def _hear_captured(self, wish: Wish, hold: holds_pb2.Hold) -> None:
        assert hold.state == CAPTURED
        wish.end, wish.charged = CAPTURED, hold.captured_amount.units

    async def _record(self, wish: Wish) -> None:
        """Let the sale be said as customers says it, once or twice; the worker hears of it sometime."""
        now = self._crowd.stack.clock.now()
        moment = Timestamp()
        moment.FromDatetime(now)
        amount = self._dice.randint(1, wish.amount)
        sale = purchases_pb2.PurchaseCompleted(
            merchant_id=self._crowd.merchant,
            purchase_id=self.id(),
            customer_id=wish.customer,
            store_id="S1",
            time_zone="Asia/Jakarta",
            currency_code="IDR",
            effective_at=moment,
            tenders=[
                tender_pb2.Tender(
                    tender_id="t1",
                    amount=rupiah(amount),
                    on_account=tender_pb2.OnAccount(hold_id=wish.hold_id),
                )
            ],
        )
        wish.end, wish.charged = CAPTURED, amount
        for _ in range(self._dice.choice((1, 1, 2))):  # under an event id of its own, as republish says it
            event = Outgoing("purchase-completed", self._crowd.merchant, wish.customer, sale, now)
            record = as_record(event, "customers", 0)
            await self._crowd.producer.send_and_wait(
                "customers", record.value, record.key, headers=list(record.headers)
            )

    async def _leave(self, wish: Wish) -> None:
        """Do nothing: the hold stays."""

    async def _take_payment(self) -> None:
        customer = self._somebody()
        amount = self._dice.randint(1, self._crowd.limit // 20)
        request = payments_pb2.RecordPaymentRequest(
            payment_id=self.id(),
            customer_id=customer,
            amount=rupiah(amount),
            method=payments_pb2.PAYMENT_METHOD_CASH,
            allow_credit_balance=True,
            origin=ORIGIN,
        )
        for reply in await self._send("RecordPayment", request):
            assert reply.payment.amount.units == amount
        self._crowd.paid[customer] += amount
        self._crowd.payments += 1

    def _somebody(self) -> str:
        """A customer: of many, a few come often and most hardly ever."""
        return self._crowd.customers[int(len(self._crowd.customers) * self._dice.random() ** 4)]

    def _another(self) -> Line:
        """The line of another till."""
        return self._crowd.tills[(self.number + self._dice.randrange(1, TILLS)) % TILLS].line

    async def _send(self, method: str, request: Message) -> list[Any]:
        return await self.line.send(method, request, self._another())
