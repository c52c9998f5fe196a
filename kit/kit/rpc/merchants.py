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


class MerchantsInterceptor(Interceptor):
    """Inside auth, which tells whose call it is; methods without a caller (health, reflection) pass."""

    def __init__(self, at_once: int, most: int) -> None:
        super().__init__()
        self._at_once, self._most = at_once, most
        # A merchant without a call under way has no entry, so this is bounded by the calls under way.
        self.shares: dict[str, _Share] = {}

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, begun in its merchant's turn, or refused where too many of it wait."""
        if not method.startswith("/langganan."):
            return behaviour

        async def in_turn(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            merchant = auth.caller().merchant_id
            share = self.shares.get(merchant)
            if share is None:
                share = self.shares[merchant] = _Share()
            await self._begin(merchant, share)
            try:
                return await behaviour(request, context)
            finally:
                self._end(merchant, share)

        return in_turn

    async def _begin(self, merchant: str, share: _Share) -> None:
        if share.running < self._at_once:
            share.running += 1
            return
        if share.running + len(share.waiting) >= self._most:
            raise ResourceExhausted(
                f"{self._most} calls of this merchant are under way; repeat with the same id after a pause",
                reason="TOO_MANY_IN_FLIGHT",
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # passed over already
                    share.waiting.remove(turn)
            else:
                self._end(merchant, share)  # the turn came at the moment at which the caller went
            raise
        if deadline.passed(deadline.at()):
            self._end(merchant, share)
            raise DeadlineExceeded("the deadline passed before the work was begun")

    def _end(self, merchant: str, share: _Share) -> None:
        """Give the place to whoever of the merchant has waited longest, or back."""
        while share.waiting:
            turn = share.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        share.running -= 1
        if not share.running:
            self.shares.pop(merchant, None)
