"""One open stream of items: reads while it has room, begins each item, writes what has been answered.

Two coroutines share it, one that reads and one that writes; between them an item is a future of its work and
a callback on it, and no task. So many items of a stream are unanswered or unsent at once, then it is not read
on; a reader that takes nothing for a while is ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import grpc.aio
from google.rpc import status_pb2

from kit import deadline, metrics
from kit.errors import DeadlineExceeded, DomainError, InvalidArgument
from kit.rpc.calls import CallLog
from kit.rpc.errors import BadRequest, status_of, translated
from kit.rpc.merchants import Turns
from kit.rpc.metrics import CODES
from kit.rpc.streams import SlowReader
from kit.rpc.validation import Rules

_ITEM_BYTES = 16_384  # so that what a stream holds is bounded in bytes, too


@dataclass(frozen=True, slots=True)
class Shape:
    """How the messages of a method wrap the requests and the replies of single calls.

    `items` names the repeated field of what is sent, of `most` items at most; `request` the field of an item
    with what a single call would be asked; `seconds` says how long who sent an item waits. What is answered
    is a message of one repeated field: `answer` makes one for (item, reply), `refusal` for (item, status),
    the item None where what came is no message.
    """

    items: str
    most: int
    request: str
    seconds: Callable[[Any], float]
    answer: Callable[[Any, Any], Any]
    refusal: Callable[[Any, status_pb2.Status], Any]


@dataclass(slots=True)
class Method:
    """A method that takes a stream, as its descriptor and its servicer have it. See kit.rpc.takes_items."""

    name: str
    shape: Shape
    begin: Callable[[Any, float | None], tuple[asyncio.Future[Any], Callable[[Any], Any]]]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    item: str = field(init=False)  # what an item is called in log lines
    labels: tuple[str, str] = field(init=False)
    seconds: Any = field(init=False)
    ok: Any = field(init=False)

    def __post_init__(self) -> None:
        _, service, name = self.name.split("/")
        self.item = f"{self.name[1:]}#item"
        self.labels = (service, name)
        self.seconds = metrics.GRPC_SECONDS.labels(service, name)
        self.ok = metrics.GRPC_HANDLED.labels(service, name, CODES[grpc.StatusCode.OK])


@dataclass(slots=True)
class Guards:
    """What each item passes, and what bounds a stream: `items` unanswered or unsent, `write_s` unread."""

    rules: Rules
    turns: Turns
    places: asyncio.Semaphore
    items: int
    write_s: float
    lines: CallLog


class ItemStream:
    """One stream of one caller, from its opening to its end."""

    def __init__(
        self, method: Method, guards: Guards, context: grpc.aio.ServicerContext[Any, Any], merchant: str
    ) -> None:
        self._method, self._guards, self._context, self._merchant = method, guards, context, merchant
        self._begun: set[asyncio.Future[Any]] = set()
        self._answers: list[bytes] = []
        self._held = 0  # items that are unanswered or unsent
        self._room, self._more = asyncio.Event(), asyncio.Event()
        self._writing_since: float | None = None
        self._last_word: DomainError | None = None
        self._reading: asyncio.Task[None] | None = None

    def finish(self, last_word: DomainError) -> None:
        """Read no more; end with `last_word` once what has been begun is answered."""
        if self._last_word is None and self._reading is not None:
            self._last_word = last_word
            self._reading.cancel()

    async def run(self, ends: Mapping[float, DomainError]) -> None:
        """Serve until the caller has half-closed and has every answer; raise what ends the stream before.

        `ends`: after how many seconds it is finished, and with what.
        """
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle | asyncio.Task[None]] = [
            loop.call_later(max(0.0, after), self.finish, word) for after, word in ends.items()
        ]
        self._reading = loop.create_task(self._read())
        self._reading.add_done_callback(lambda _: self._more.set())
        try:
            async with asyncio.timeout(None) as patience:
                timers.append(loop.create_task(self._watch(patience)))
                await self._write()
        except TimeoutError:
            raise SlowReader(self._guards.write_s) from None
        except grpc.aio.InternalError:  # the reader has gone, or its deadline has passed
            raise asyncio.CancelledError from None
        finally:
            self._reading.cancel()
            for timer in timers:
                timer.cancel()
            for future in self._begun:
                future.cancel()
        if self._last_word is not None:
            raise self._last_word

    async def _watch(self, patience: asyncio.Timeout) -> None:
        """End the stream when one answer was being written for too long; a timer a write would cost more."""
        most = self._guards.write_s
        while True:
            await asyncio.sleep(most / 10)
            if self._writing_since is not None and time.monotonic() - self._writing_since > most:
                patience.reschedule(asyncio.get_running_loop().time())

    async def _read(self) -> None:
        while True:
            await self._until_room()
            raw = await self._context.read()
            if raw is grpc.aio.EOF:  # type: ignore[attr-defined]  # left out of the stubs
                return
            since = time.monotonic()
            for item in self._items_of(raw, since):
                await self._until_room()
                await self._take(item, since)

    async def _until_room(self) -> None:
        while self._held >= self._guards.items:
            self._room.clear()
            await self._room.wait()

    def _items_of(self, raw: bytes, since: float) -> Sequence[Any]:
        """Return the items of a message; none where all of it is refused."""
        shape = self._method.shape
        try:
            found: Sequence[Any] = getattr(self._method.decode(raw), shape.items)
        except Exception:  # noqa: BLE001 - whatever it is, it is no message
            self._refuse(None, since, BadRequest([("", "must be a message of the contract")]))
            return ()
        if len(found) > shape.most:
            for item in found:
                self._refuse(item, since, BadRequest([(shape.items, f"must be {shape.most} at most")]))
            return ()
        return found

    async def _take(self, item: Any, since: float) -> None:
        shape = self._method.shape
        try:
            if item.ByteSize() > _ITEM_BYTES:
                raise InvalidArgument(f"an item is {_ITEM_BYTES} bytes at most", reason="ITEM_TOO_LARGE")
            self._guards.rules.check(item, shape.request + ".")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an item is its answer
            self._refuse(item, since, error)
            return
        await self._enter()
        try:
            until = self._until(since + shape.seconds(item))
            if deadline.passed(until):
                raise DeadlineExceeded("the timeout passed before the work was begun")
            future, reply = self._method.begin(getattr(item, shape.request), until)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an item is its answer
            self._leave()
            self._refuse(item, since, error)
            return
        self._held += 1
        self._begun.add(future)
        future.add_done_callback(partial(self._answer, item, since, reply))

    @staticmethod
    def _until(until: float) -> float:
        of_stream = deadline.at()
        return until if of_stream is None else min(until, of_stream)

    async def _enter(self) -> None:
        """Wait for a place: in the merchant's turn, one item of a stream at a time, and among all items."""
        turns, merchant = self._guards.turns, self._merchant
        await turns.begin(merchant, None, bounded=False)
        try:
            await self._guards.places.acquire()
        except asyncio.CancelledError:
            turns.end(merchant)
            raise
        metrics.GRPC_ITEMS.inc()

    def _leave(self) -> None:
        """Give the item's places to others."""
        metrics.GRPC_ITEMS.dec()
        self._guards.places.release()
        self._guards.turns.end(self._merchant)

    def _answer(
        self, item: Any, since: float, reply: Callable[[Any], Any], future: asyncio.Future[Any]
    ) -> None:
        self._begun.discard(future)
        self._held -= 1
        self._leave()
        if future.cancelled():  # the stream has ended
            return
        try:
            answer = self._method.encode(self._method.shape.answer(item, reply(future.result())))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with an item is its answer
            self._refuse(item, since, error)
            return
        self._method.ok.inc()
        self._guards.lines.say(self._method.item, self._merchant, since, "OK", None)
        self._send(answer, since)

    def _refuse(self, item: Any, since: float, error: Exception) -> None:
        told = translated(self._method.name, error)
        metrics.GRPC_HANDLED.labels(*self._method.labels, CODES[told.code]).inc()
        self._guards.lines.say(self._method.item, self._merchant, since, told.code.name, told)
        self._send(self._method.encode(self._method.shape.refusal(item, status_of(told))), since)

    def _send(self, answer: bytes, since: float) -> None:
        self._method.seconds.observe(time.monotonic() - since)
        self._held += 1
        self._answers.append(answer)
        self._more.set()

    async def _write(self) -> None:
        assert self._reading is not None
        while True:
            while self._answers:
                ready, self._answers = self._answers, []
                self._writing_since = time.monotonic()
                # Messages of one repeated field, one after another, are the message with all of it.
                await self._context.write(b"".join(ready))
                self._writing_since = None
                self._held -= len(ready)
                self._room.set()
            if self._reading.done() and not self._held:
                if not self._reading.cancelled():
                    self._reading.result()  # a fault of ours ends the stream
                return
            self._more.clear()
            await self._more.wait()
