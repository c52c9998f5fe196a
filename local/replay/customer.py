"""One customer of the replay: what is still to be done, what was done, and what the books must say of it.

A customer comes back when all that followed from the last visit can be seen, asked from outside. So what
the tills are answered never depends on which of two events was heard first, and the oracle knows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.loyalty.v1 import accounts_pb2 as loyalty_pb2
from local.demo import ask
from local.demo.journal import Fact, Journal
from local.demo.oracle import post
from local.demo.oracle.books import Books
from local.demo.oracle.fold import Oracle
from local.demo.people import Person
from local.demo.script import ONCE, Charge, Pay, Return, Sale, Visit
from local.demo.visit import Till
from local.replay.gateway import PatientGateway

NEWEST = 200  # entries of the ledger that are looked at: more than a basket has lines
CHARGE_EVERY = 3  # steps of whom has credit
MOST, AMOUNT = 20_000, 15_000  # rupiah of a charge: held, captured
Step = Pay | Sale | Return | Charge


class Diary(Journal):
    """The journal of one customer, which can be asked for what was noted at the present stop."""

    def here(self, customer_id: str) -> list[Fact]:
        """What was noted since the last stop."""
        return [fact for stop, fact in self.facts.get(customer_id, []) if stop == self.stops[-1]]

    def news(self, customer_id: str) -> list[Fact]:
        """The same, and what was sold to nobody who is known."""
        return self.here(customer_id) + [sale for sale in self.anonymous if sale.at == self.stops[-1]]


class Customer:
    """Plays the plan of one household step by step; starts again, under other ids, when it is through."""

    def __init__(
        self,
        gateway: PatientGateway,
        oracle: Oracle,
        person: Person,
        customer_id: str,
        zone: str,
        visits: list[Visit],
        make_till: Callable[[Journal, int], Till],
    ) -> None:
        self.customer_id, self.household, self.zone = customer_id, person.household, zone
        self.diary = Diary()
        self._gateway, self._oracle, self._person = gateway, oracle, person
        self._visits, self._make_till = visits, make_till
        self._steps = self._all_steps()
        self._told_of = 0  # changes of the tier
        self._books: Books = oracle.begin(person.household, customer_id, zone)

    def _all_steps(self) -> Iterator[tuple[Till, Step]]:
        generation = done = 0
        while True:
            till = self._make_till(self.diary, generation)
            for visit in self._visits:
                steps: list[Step] = [*visit.pays, *visit.sales, *visit.returns]
                for step in steps:
                    yield till, step
                    done += 1
                    if self._person.credit_limit and done % CHARGE_EVERY == 0:
                        yield till, Charge(0, MOST, AMOUNT, ONCE)
            generation += 1

    async def play(self) -> None:
        """Do the next step now; raise grpc.aio.AioRpcError where something is refused."""
        till, step = next(self._steps)
        # Whole seconds, each later than the last: the order of what happened is the order of its times.
        at = max(int(time.time()), self.diary.stops[-1] + 1 if self.diary.stops else 0)
        await asyncio.sleep(max(0.0, at - time.time()))
        self.diary.stop(at)
        match step:
            case Sale():
                # What is left behind expires after a quarter of an hour; a replay may be over by then.
                sale = replace(step, at=at, forget_points=False, forget_credit=False)
                await till.sell(sale, self._person, self.customer_id)
            case Return():
                await till.give_back(replace(step, at=at), self.customer_id)
            case Charge():
                await till.charge(replace(step, at=at), self.household, self.customer_id)
            case Pay():
                await till.take_payment(replace(step, at=at), self.household, self.customer_id)
        self._oracle.advance(self._books, at, self.diary.here(self.customer_id))

    async def caught_up(self) -> bool:
        """Whether loyalty and credit say what follows from all steps so far, and the customer was told."""
        return (
            await self._points_caught_up()
            and (self._books.credit is None or await self._credit_caught_up())
            and await self._told()
        )

    async def _points_caught_up(self) -> bool:
        points = self._books.points
        request = loyalty_pb2.GetAccountRequest(customer_id=self.customer_id)
        reply = await self._gateway.ask("GetPoints", self._gateway.points.GetAccount, request)
        if reply is None:
            return False
        account, purse = reply.account, points.purse
        said = (account.balance, account.active, account.reserved, account.negative, account.standing.tier)
        if said != (purse.balance, purse.active, purse.reserved, purse.owed, points.standing.now):
            return False
        # Two effects may add up to nothing, so the last one is looked for itself.
        if not points.entries:
            return True
        last = points.entries[-1].cause_id
        listed = await self._gateway.call(
            "ListEntries",
            self._gateway.points.ListEntries,
            loyalty_pb2.ListEntriesRequest(customer_id=self.customer_id, page_size=NEWEST),
        )
        return any(entry.cause_id == last for entry in listed.entries)

    async def _credit_caught_up(self) -> bool:
        credit = self._books.credit
        assert credit is not None
        request = credit_pb2.GetAccountRequest(customer_id=self.customer_id)
        reply = await self._gateway.ask("GetAccount", self._gateway.credit.GetAccount, request)
        if reply is None:
            return False
        account = reply.account
        held = sum(amount for amount, _ in credit.held.values())
        said = (account.posted.units, account.held.units, account.credit_balance.units)
        if said != (credit.owed, held, credit.balance):
            return False
        found = await ask.invoices(self._gateway, self.customer_id)
        must = {(one.purchase_id, one.tender_id): one.outstanding for one in credit.invoices}
        return {key: one.facts[1] for key, one in found.items()} == must

    async def _told(self) -> bool:
        """A newer notice of a tier would replace an older one that is not sent yet."""
        changes = len(self._books.points.standing.changes)
        if not changes or self._told_of == changes:
            return True
        listed = await ask.messages(self._gateway, self.customer_id)
        mine = {key: letter.state for key, letter in self._books.post.letters.items() if key[0] == post.TIER}
        if any(key not in listed or listed[key].state != state for key, state in mine.items()):
            return False
        self._told_of = changes
        return True
