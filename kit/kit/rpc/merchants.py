"""Each merchant's calls wait for each other, never for another merchant's.

So many calls of one merchant are worked on at once; the others of that merchant wait in the order of their
arrival, and beyond a bound they are told to come again. What one merchant sends too much of thus takes
neither the connections nor the loop from the others: their calls begin at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc

from kit import auth, deadline
from kit.errors import DeadlineExceeded, ResourceExhausted
from kit.rpc.interceptor import Behaviour, Interceptor


@dataclass(slots=True)
class _Share:
    """What one merchant has under way."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Turns:
    """The turns of each merchant's calls, and of the items of its streams."""

    def __init__(self, at_once: int, most: int) -> None:
        self._at_once, self._most = at_once, most
        # A merchant without a call under way has no entry, so this is bounded by the calls under way.
        self._shares: dict[str, _Share] = {}

    async def begin(self, merchant: str, until: float | None, *, bounded: bool = True) -> None:
        """Return when it is one's turn; raise where too many wait, or `until` (monotonic) has passed.

        `bounded`: False for who waits one at a time, and is itself bounded (a stream).
        """
        share = self._shares.get(merchant)
        if share is None:
            share = self._shares[merchant] = _Share()
        if share.running < self._at_once:
            share.running += 1
            return
        if bounded and share.running + len(share.waiting) >= self._most:
            raise ResourceExhausted(
                f"{self._most} calls of this merchant are under way; repeat with the same id after a pause",
                reason="TOO_MANY_IN_FLIGHT",
            )
        await self._wait(merchant, share)
        if deadline.passed(until):
            self.end(merchant)
            raise DeadlineExceeded("the deadline passed before the work was begun")

    async def _wait(self, merchant: str, share: _Share) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # passed over already
                    share.waiting.remove(turn)
            else:
                self.end(merchant)  # the turn came at the moment at which the caller went
            raise

    def end(self, merchant: str) -> None:
        """Give the place to whoever of the merchant has waited longest, or back."""
        share = self._shares[merchant]
        while share.waiting:
            turn = share.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        share.running -= 1
        if not share.running:
            del self._shares[merchant]


class MerchantsInterceptor(Interceptor):
    """Inside auth, which tells whose call it is; methods without a caller (health, reflection) pass."""

    at_open = False

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, begun in its merchant's turn, or refused where too many of it wait."""
        if not method.startswith("/langganan."):
            return behaviour

        async def in_turn(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            merchant = auth.caller().merchant_id
            await self._turns.begin(merchant, deadline.at())
            try:
                return await behaviour(request, context)
            finally:
                self._turns.end(merchant)

        return in_turn
