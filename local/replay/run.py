"""One replay: opens a shop of its own, sells until told to stop, waits, reconciles, reports."""

from __future__ import annotations

import asyncio
import datetime
import heapq
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import grpc
from google.type.timeofday_pb2 import TimeOfDay

from langganan.customers.v1 import contacts_pb2
from local.demo import baskets as source
from local.demo.compare.found import Found
from local.demo.journal import Charged, Journal
from local.demo.messages import Ids
from local.demo.oracle.birthdays import greeted_on
from local.demo.oracle.fold import Oracle
from local.demo.people import Person, meet, zone_of
from local.demo.probe import Probe
from local.demo.progress import Progress
from local.demo.report import percentile
from local.demo.script import Stages, Visit, plan
from local.demo.setup import open_shop, register
from local.demo.visit import Till
from local.replay.customer import Customer
from local.replay.gateway import PatientGateway
from local.replay.reconcile import Reconciliation

PROGRESS_SECONDS = 5.0
SOON, LATER = 0.3, 1.0  # seconds until a customer who bought, or who is not caught up, is looked at again
NEAR = datetime.timedelta(
    days=2
)  # around a birthday: greetings depend on the hour, which a replay cannot choose
GENERATIONS = 1_000  # times that a household's year can be played in one run
NEVER = (datetime.time(), datetime.time())


@dataclass(frozen=True)
class Wishes:
    """How much, how fast, for how long. `baskets` and `seconds`: None, until told to stop."""

    seed: int
    sample: int
    baskets: int | None
    seconds: float | None
    rate: float  # steps a second: sales, returns, payments
    tills: int
    settle_seconds: float


class Replay:
    """Sells as one merchant; `say` is told how it goes in a few words."""

    def __init__(
        self, gateway: PatientGateway, wishes: Wishes, say: Callable[[str], None], journal: Path | None
    ) -> None:
        self._gateway, self._wishes, self._say = gateway, wishes, say
        self._book = journal.open("w", buffering=1) if journal else None
        self._baskets = source.load(wishes.sample, wishes.seed)
        people = meet(set(self._baskets.households.tolist()), wishes.seed)
        today = datetime.datetime.now(datetime.UTC).date()
        self._people = {key: _ungreeted(person, today) for key, person in people.items()}
        self._oracle = Oracle(self._baskets, self._people, credit=True, quiet=NEVER)
        self._progress = Progress(customers=len(people))
        self._probe = Probe(gateway)
        self._customers: list[Customer] = []
        self._queue: list[tuple[float, int]] = []
        self._stop = asyncio.Event()
        self._surprises: list[str] = []
        self._next_start = 0.0

    def stop(self) -> None:
        """Begin nothing more; what is under way is finished, then all is reconciled."""
        self._stop.set()

    async def run(self) -> dict[str, Any]:
        """Play and reconcile; the report."""
        self._say(f"opening a shop with {len(self._people)} customers")
        await self._open()
        telling = asyncio.create_task(self._tell())
        started = time.monotonic()
        try:
            if self._wishes.seconds is not None:
                asyncio.get_running_loop().call_later(self._wishes.seconds, self.stop)
            await asyncio.gather(*(self._till() for _ in range(self._wishes.tills)))
            self._progress.sending_seconds = time.monotonic() - started
            await self._probe.close()
            self._say(f"sold {self._progress.baskets}; waiting until the stack has settled")
            reconciliation = Reconciliation(self._gateway, self._oracle, self._customers)
            found = await reconciliation.run(self._wishes.settle_seconds)
        finally:
            telling.cancel()
            if self._book:
                self._book.close()
        found.differences[:0] = [*self._surprises, *self._gateway.different]
        return self._report(found, reconciliation.settled_seconds)

    async def _open(self) -> None:
        seed, homes = self._wishes.seed, dict[int, int]()
        for household, store in zip(
            self._baskets.households.tolist(), self._baskets.stores.tolist(), strict=True
        ):
            homes.setdefault(household, store)
        ids, stores = Ids(seed * GENERATIONS), sorted(set(self._baskets.stores.tolist()))
        now = time.time()
        await open_shop(self._gateway, ids, stores, int(now) - 60, _quiet(now))
        known = await register(self._gateway, ids, self._people, homes, credit=True)
        visits: dict[int, list[Visit]] = {household: [] for household in self._people}
        for day in plan(self._baskets, self._people, seed, Stages()).values():
            for household, visit in day.items():
                visits[household].append(visit)
        for household, customer_id in known.items():
            person, zone = self._people[household], zone_of(homes[household])
            one = Customer(
                self._gateway, self._oracle, person, customer_id, zone, visits[household], self._make_till
            )
            heapq.heappush(self._queue, (0.0, len(self._customers)))
            self._customers.append(one)

    def _make_till(self, journal: Journal, generation: int) -> Till:
        ids = Ids(self._wishes.seed * GENERATIONS + generation)
        return Till(self._gateway, ids, self._baskets, journal, self._progress, self._probe)

    async def _till(self) -> None:
        """Serve whoever is next, one after another, until it is enough."""
        while not self._enough():
            if not self._queue or self._queue[0][0] > time.monotonic():
                await asyncio.sleep(0.02)
                continue
            _, number = heapq.heappop(self._queue)
            customer = self._customers[number]
            try:
                again = SOON if await self._serve(customer) else LATER
            except grpc.aio.AioRpcError as error:
                # Refused: they come no more, and the books will not be what they must.
                self._surprises.append(f"{customer.customer_id}: {error.code().name}: {error.details()}")
                continue
            heapq.heappush(self._queue, (time.monotonic() + again, number))

    async def _serve(self, customer: Customer) -> bool:
        """Play a step of a customer who is caught up; whether they were."""
        if not await customer.caught_up():
            return False
        wait = self._next_start - time.monotonic()
        self._next_start = max(self._next_start, time.monotonic()) + 1 / self._wishes.rate
        if wait > 0:
            await asyncio.sleep(wait)
        if self._enough():
            return True
        await customer.play()
        if self._book:
            for fact in customer.diary.news(customer.customer_id):
                self._book.write(json.dumps({"fact": type(fact).__name__, **asdict(fact)}) + "\n")
        self._surprises += customer.diary.surprises
        customer.diary.surprises.clear()
        return True

    def _enough(self) -> bool:
        wanted = self._wishes.baskets
        return self._stop.is_set() or (wanted is not None and self._progress.baskets >= wanted)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            progress, gateway = self._progress, self._gateway
            self._say(
                f"{progress.baskets} sales, {progress.returns} returns, {progress.payments} payments; "
                f"{gateway.retries} repeated, {len(gateway.failures)} failed, {gateway.under_way} under way"
            )

    def _report(self, found: Found, settled: float) -> dict[str, Any]:
        progress, gateway = self._progress, self._gateway
        return {
            "baskets": progress.baskets,
            "customers": progress.customers,
            "seconds": round(progress.sending_seconds, 1),
            "baskets_per_s": round(progress.baskets_per_s, 1),
            "settled_after_seconds": round(settled, 1),
            "anonymous": progress.anonymous,
            "returns": progress.returns,
            "payments": progress.payments,
            "charges": sum(
                isinstance(fact, Charged)
                for one in self._customers
                for _, fact in one.diary.facts.get(one.customer_id, [])
            ),
            "holds": progress.holds,
            "holds_declined": progress.declined,
            "reservations": progress.reservations,
            "sent_twice": gateway.doubled,
            "answers_lost": gateway.lost,
            "purchases_found": found.purchases,
            "points_earned": found.points_earned,
            "points_redeemed": found.points_redeemed,
            "invoices": found.invoices,
            "outstanding": found.outstanding,
            "messages_sent": dict(found.sent),
            "messages_skipped": {" ".join(key): count for key, count in found.skipped.items()},
            "mails": found.mails,
            "rpc": {
                name: {
                    "calls": len(times),
                    "p50_ms": round(percentile(times, 0.5) * 1000, 1),
                    "p99_ms": round(percentile(times, 0.99) * 1000, 1),
                    "longest_ms": round(gateway.longest[name] * 1000, 1),
                }
                for name, times in sorted(gateway.latency.items())
            },
            "purchase_to_points_p99_ms": round(percentile(self._probe.seconds, 0.99) * 1000, 1),
            "repeated": dict(gateway.repeated),
            "failed": [asdict(failure) for failure in gateway.failures],
            "reconciled": not found.differences,
            "differences_in_all": len(found.differences),
            "differences": found.differences[:200],
        }


def _ungreeted(person: Person, today: datetime.date) -> Person:
    """The person, without a birthday that is near."""
    born = person.born
    if born and abs(greeted_on(born, today.year) - today) > NEAR:
        return person
    return replace(person, born=None)


def _quiet(now: float) -> contacts_pb2.DailyHours:
    """An hour that is far away in each of the shop's zones, so that no message waits for it."""
    hour = (datetime.datetime.fromtimestamp(now, datetime.UTC).hour + 7 + 13) % 24
    return contacts_pb2.DailyHours(**{"from": TimeOfDay(hours=hour), "to": TimeOfDay(hours=hour, minutes=30)})
