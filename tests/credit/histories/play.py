"""Plays a history on a running service and on the reference, and compares all that both say.

What happens at once may have happened in any order. So the reference tries the orders, and goes on with every
one whose answers are those that were given; none left is a difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY

from kit.events import Outgoing
from kit.ids import derived_uuid, new_customer_id
from kit.testing import eventually
from kit.testing.clock import ManualClock
from langganan.events.v1 import credit_pb2
from tests.credit.conftest import NOON, Credit
from tests.credit.histories import event_moves, look, outcomes, staff_moves, till_moves
from tests.credit.histories.move import Move
from tests.credit.histories.plain import differences, plain
from tests.credit.histories.steps import Round, Step, Thing
from tests.credit.reference.books import Books

CUSTOMERS = 3


class SettableClock(ManualClock):
    """Begins each history at the same instant."""

    def begin(self) -> None:
        """Go back to where every history begins."""
        self._now = NOON


class Ids:
    """Ids that two shops may use side by side, for they are each shop's own."""

    def __init__(self) -> None:
        self.pool = uuid.uuid4()
        self.customers = [new_customer_id() for _ in range(CUSTOMERS)]

    def id(self, kind: str, *which: Any) -> str:
        """One of the ids of a kind."""
        return str(uuid.uuid5(self.pool, f"{kind} {which}"))


def _move(play: Play, one: Step) -> Move | None:
    """The move that a step is; None: it is nothing here."""
    (made,) = [getattr(m, one.do) for m in (till_moves, event_moves, staff_moves) if hasattr(m, one.do)]
    found: Move | None = made(play, **dict(one.args))
    return found


def _next(moves: Sequence[Move], done: frozenset[int]) -> Iterator[int]:
    """Which moves may be next: any call, and of the events of a customer the first."""
    keys: set[str] = set()
    for place, move in enumerate(moves):
        if place in done:
            continue
        if move.event is None or move.event.key not in keys:
            yield place
        if move.event is not None:
            keys.add(move.event.key)


def _concerned(together: Round) -> set[int]:
    """Whose accounts a round may have moved; all, where it names nobody."""
    args = [named for one in together for named in one.args]
    whose = {value for name, value in args if name in ("who", "buyer") and value is not None}
    whose |= {value[0] for name, value in args if name in ("hold", "payment", "purchase", "back")}
    return whose or set(range(CUSTOMERS))


@dataclass
class Play:
    """One history of a shop of its own; `worlds` are the references that agree with all answers so far."""

    credit: Credit
    deliver: Callable[..., Awaitable[None]]
    ids: Ids
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock = self.credit.run.clock
        assert isinstance(self.clock, SettableClock), "histories begin at one instant"
        self.clock.begin()
        self.customers = self.ids.customers
        self.worlds = [Books(self.credit.merchant, derived_uuid, self.clock.now())]
        self.facts: list[Any] = []
        self.last_fact = 0
        self.known: dict[tuple[str, Thing], Outgoing] = {}

    @property
    def now(self) -> datetime:
        """The instant at which the clock stands."""
        return self.clock.now()

    def id(self, kind: str, *which: Any) -> str:
        """One of the ids of a kind."""
        return self.ids.id(kind, *which)

    async def run(self, history: Sequence[Round]) -> None:
        """Play all of it; fails at the first round where nothing explains the answers."""
        await self.credit.run.pool.execute("DELETE FROM heard")
        for number, together in enumerate(history):
            await self._round(number, together)
        told = await look.at_all(self)
        await self._compare(history, told)
        for each in (*(one for one, _ in told), *({"fact": fact} for fact in self.facts)):
            self.seen.update(outcomes.of(each))

    async def _round(self, number: int, together: Round) -> None:
        moves = [move for one in together if (move := _move(self, one)) is not None]
        polled = [move.event for move in moves if move.event is not None]
        calls = [move.call() for move in moves if move.call is not None]
        polls = [self.deliver(*polled)] if polled else []
        rush = len(together) > 2 and all(one.do == "authorize" for one in together)
        given = iter(await (self._in_one_batch(calls) if rush else asyncio.gather(*calls, *polls)))
        answers = [next(given) if move.call is not None else None for move in moves]
        why: list[str] = []
        self.worlds = [w for world in self.worlds for w in self._explain(world, moves, answers, why)]
        assert self.worlds, "\n".join([f"in round {number}, {list(together)}:", *dict.fromkeys(why)])
        for given in answers:
            self.seen.update(outcomes.of(given))
        await self._compare([together], await look.at_balances(self, _concerned(together)))

    async def _in_one_batch(self, calls: Sequence[Awaitable[Any]]) -> list[Any]:
        """Hold up whichever authorisation comes first until all others wait for the batch after it.

        On a machine too slow for that within the lock's timeout they come as they come.
        """
        async with self.credit.run.pool.acquire() as conn, conn.transaction():
            await conn.execute("LOCK TABLE holds")
            given = asyncio.gather(*calls)
            of = {"batch": "authorize"}
            with contextlib.suppress(AssertionError):
                await eventually(
                    lambda: REGISTRY.get_sample_value("langganan_batch_queue", of) == len(calls) - 1,
                    within=0.3,
                    every=0.002,
                )
        return await given

    def _explain(self, books: Books, moves: list[Move], answers: list[Any], why: list[str]) -> list[Books]:
        """Return the books after each order of the moves that gives these answers; `why` others do not."""
        ways: dict[frozenset[int], list[Books]] = {frozenset(): [books]}
        for _ in moves:
            further: dict[frozenset[int], list[Books]] = {}
            for done, reached in ways.items():
                for place in _next(moves, done):
                    for before in reached:
                        after = copy.deepcopy(before) if len(moves) > 1 else before
                        wrong = differences(answers[place], moves[place].expected(after))
                        why += wrong
                        others = further.setdefault(done | {place}, [])
                        if not wrong and after not in others:
                            others.append(after)
            ways = further
        return [books for reached in ways.values() for books in reached]

    async def _compare(self, what: Sequence[Any], seen: list[tuple[Any, Callable[[Books], Any]]]) -> None:
        """Leave only the worlds in which the service may say all that it says."""
        why: list[str] = []
        left: list[Books] = []
        for world in self.worlds:
            wrong = [d for told, expect in seen for d in differences(told, Move(expect).expected(world))]
            why += wrong
            left += [] if wrong else [world]
        assert left, "\n".join([f"after {list(what)}:", *dict.fromkeys(why)])
        self.worlds = left

    async def said(self) -> dict[str, list[Any]]:
        """What the service has published, by customer, in order."""
        rows = await self.credit.run.pool.fetch(
            "SELECT id, type, payload FROM outbox WHERE id > $1 AND merchant_id = $2 ORDER BY id",
            self.last_fact,
            self.credit.merchant,
        )
        for row in rows:
            made = getattr(credit_pb2, "".join(part.title() for part in row["type"].split("-")))
            self.facts.append({"type": row["type"]} | plain(made.FromString(row["payload"])))
            self.last_fact = row["id"]
        return {c: [f for f in self.facts if f["customer_id"] == c] for c in self.customers}
