"""Batches: requests that arrive while a commit is in flight share the next one.

An idle system adds no wait: a batch leaves as soon as the one before it returns. In a crowd it first gathers
for as long again, docs/decisions/0037: what a batch costs is the same for few and for many. A request whose
account somebody else has locked leaves for a lane of that account, so it delays only itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic
from weakref import WeakValueDictionary

import asyncpg

from kit import cause, db, deadline, metrics
from kit.errors import DeadlineExceeded, ResourceExhausted
from kit.execute import LOCKED, LockedType, Opens, Reply, Request, Run, RunIn, Session, execute, once

__all__ = ["LOCKED", "Batcher", "LockedType", "Run", "once"]

_LANES_AT_ONCE = 4
_LANES_AT_ONCE_MERCHANT = 2
# Who has waited longer reads the clock again by calling again. kit.events.progress counts on it.
_QUEUED_S = 10.0
# After a batch of so many the next one gathers for as long as that one took, and no longer than this.
_CROWD = 4
_GATHER_MAX_S = 0.005


@dataclass(slots=True)
class _Item(Generic[Request, Reply]):
    request: Request
    key: Hashable
    merchant: str
    deadline: float | None
    future: asyncio.Future[Reply] = field(repr=False)
    since: float = field(default_factory=time.monotonic)
    causes: Sequence[cause.Cause] = field(default_factory=cause.present, repr=False)

    def settle(self, reply: Reply | Exception) -> None:
        """Answer the caller, unless it has gone."""
        if self.future.done():
            return
        if isinstance(reply, Exception):
            self.future.set_exception(reply)
        else:
            self.future.set_result(reply)


class Batcher(Generic[Request, Reply]):
    """Gathers the requests of many callers into lists for one store function.

    `key` names what a request locks, `merchant` whose share of the queue it takes. The queue is bounded
    as a whole and to half of it for one merchant; merchants take turns in filling a batch. `pool` may be
    what opens a run's transaction instead, where the run needs more than one connection.
    """

    def __init__(
        self,
        name: str,
        pool: db.Pool | Opens[Session],
        run: RunIn[Session, Request, Reply],
        *,
        key: Callable[[Request], Hashable],
        merchant: Callable[[Request], str],
        max_batch: int = 200,
        max_queue: int = 2_000,
    ) -> None:
        opens: Opens[Any] = partial(db.transaction, pool) if isinstance(pool, asyncpg.Pool) else pool
        self._name, self._attempt = name, partial(execute, name, opens, run)
        self._key, self._merchant = key, merchant
        self._max_batch, self._max_queue = max_batch, max_queue
        self._queues: dict[str, deque[_Item[Request, Reply]]] = {}
        self._lanes: dict[Hashable, deque[_Item[Request, Reply]]] = {}
        self._size_metric = metrics.BATCH_SIZE.labels(name)
        self._queue_metric = metrics.BATCH_QUEUE.labels(name)
        self._waiting = 0
        self._waiting_of: Counter[str] = Counter()
        self._runner: asyncio.Task[None] | None = None
        self._lane_tasks: set[asyncio.Task[None]] = set()
        self._lane_slots = asyncio.Semaphore(_LANES_AT_ONCE)
        # A merchant whose accounts are all locked takes half of the lanes, and the others find one free.
        self._merchant_slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def submit(self, request: Request) -> Reply:
        """Return the reply to `request` or raise its error. Cancelling the caller cancels only its wait."""
        return await self.enqueue(request, deadline.at())

    def enqueue(self, request: Request, until: float | None) -> asyncio.Future[Reply]:
        """Return the future of the reply, or raise; work past the monotonic instant `until` is not begun.

        Whoever cancels the future before its batch has left takes the request back.
        """
        merchant, key = self._merchant(request), self._key(request)
        if self._waiting >= self._max_queue or self._waiting_of[merchant] >= self._max_queue // 2:
            raise ResourceExhausted("too many requests wait; repeat with the same id after a pause")
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        item: _Item[Request, Reply] = _Item(request, key, merchant, until, answered)
        self._note(merchant, 1)
        if key in self._lanes:
            self._lanes[key].append(item)
        else:
            queue = self._queues.get(merchant)
            if queue is None:
                queue = self._queues[merchant] = deque()
            queue.append(item)
            if self._runner is None:
                self._runner = asyncio.create_task(self._serve(), name=f"batch-{self._name}")
        return answered

    async def drain(self) -> None:
        """Return once nothing waits and nothing is in flight."""
        while self._runner is not None or self._lane_tasks:
            tasks = [t for t in (self._runner, *self._lane_tasks) if t is not None]
            await asyncio.wait(tasks)

    async def _serve(self) -> None:
        try:
            while self._queues:
                batch = self._alive(self._gather())
                if not batch:
                    continue
                begun = time.monotonic()
                await self._execute(batch)
                if len(batch) >= _CROWD:
                    await asyncio.sleep(min(time.monotonic() - begun, _GATHER_MAX_S))
        finally:
            self._runner = None

    def _gather(self) -> list[_Item[Request, Reply]]:
        """Take up to a batch, merchants in turn; whoever is left over goes first next time."""
        batch: list[_Item[Request, Reply]] = []
        while self._queues and len(batch) < self._max_batch:
            merchant, queue = next(iter(self._queues.items()))
            del self._queues[merchant]
            fair = max(1, self._max_batch // (len(self._queues) + 1))
            for _ in range(min(fair, len(queue), self._max_batch - len(batch))):
                batch.append(queue.popleft())
            if queue:
                self._queues[merchant] = queue
        return batch

    def _alive(self, batch: list[_Item[Request, Reply]]) -> list[_Item[Request, Reply]]:
        """Drop who has gone or whose deadline has passed: before the transaction, never after."""
        alive: list[_Item[Request, Reply]] = []
        for item in batch:
            self._note(item.merchant, -1)
        self._queue_metric.set(self._waiting)
        for item in batch:
            if item.future.done():
                continue
            if deadline.passed(item.deadline):
                item.settle(DeadlineExceeded("the deadline passed before the work was begun"))
            elif time.monotonic() - item.since > _QUEUED_S:
                item.settle(
                    ResourceExhausted("too many requests wait; repeat with the same id after a pause")
                )
            else:
                alive.append(item)
        return alive

    async def _execute(self, batch: list[_Item[Request, Reply]], *, wait: bool = False) -> None:
        self._size_metric.observe(len(batch))
        # This task began as that of whoever came first, and works for all of these.
        cause.become([one for item in batch for one in item.causes])
        requests = [item.request for item in batch]
        replies = await self._attempt(requests, wait=wait)
        for item, reply in zip(batch, replies, strict=True):
            if reply is LOCKED:
                self._to_lane(item)
            else:
                item.settle(reply)

    def _note(self, merchant: str, more: int) -> None:
        """Count what waits, in queues and lanes, as a whole and of a merchant."""
        self._waiting += more
        self._waiting_of[merchant] += more
        if not self._waiting_of[merchant]:
            del self._waiting_of[merchant]

    def _to_lane(self, item: _Item[Request, Reply]) -> None:
        self._note(item.merchant, 1)
        if item.key in self._lanes:
            self._lanes[item.key].append(item)
            return
        self._lanes[item.key] = deque([item])
        task = asyncio.create_task(self._serve_lane(item.key, item.merchant), name=f"lane-{self._name}")
        self._lane_tasks.add(task)
        task.add_done_callback(self._lane_tasks.discard)

    async def _serve_lane(self, key: Hashable, merchant: str) -> None:
        lane = self._lanes[key]
        slots = self._merchant_slots.setdefault(merchant, asyncio.Semaphore(_LANES_AT_ONCE_MERCHANT))
        while lane:
            async with slots, self._lane_slots:
                taken = [lane.popleft() for _ in range(min(len(lane), self._max_batch))]
                batch = self._alive(taken)
                if batch:
                    await self._execute(batch, wait=True)
        del self._lanes[key]
