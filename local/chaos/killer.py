"""Kills processes with SIGKILL at seeded moments of a run, and starts them again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from local.stack import Stack

# Shares of the baskets between which the kills lie.
FIRST, LAST = 0.02, 0.95
# Seconds before every other kill, so that it hits the settling as well as the selling, and until the start.
BEFORE, AWAY = 1.0, 0.5
POLL_SECONDS = 0.02


class Killer:
    """Kills as many times as it is told; the seed decides who dies and when, counted in baskets sold.

    Everybody dies before anybody dies twice. `share` tells how much of the run is over, 0 to 1. Tills call
    `at_the_gate` before each call: a few seconds' selling would be over before the second death.
    """

    def __init__(
        self, stack: Stack, kills: int, seed: int, share: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        dice = random.Random(seed)
        everybody = [*stack.processes, "postgres", "kafka"]
        dice.shuffle(everybody)
        victims = [*everybody[:kills], *dice.choices(everybody, k=max(0, kills - len(everybody)))]
        moments = sorted(dice.uniform(FIRST, LAST) for _ in range(kills))
        self._begun = 0
        self._done = 0
        self._plan = [
            (moment, victim, dice.choice((0.0, dice.uniform(0, BEFORE))), dice.uniform(0, AWAY))
            for moment, victim in zip(moments, victims, strict=True)
        ]
        self._stack, self._share, self._say = stack, share, say
        self.killed: Counter[str] = Counter()

    async def run(self) -> None:
        """Kill when the time has come; returns after the last one is back. Raises PartFailed if it is not."""
        for moment, victim, before, away in self._plan:
            while self._share() < moment:  # noqa: ASYNC110  it counts baskets, which nobody announces
                await asyncio.sleep(POLL_SECONDS)
            await asyncio.sleep(before)
            self._say(f"killing {victim}")
            await asyncio.to_thread(self._stack.kill, victim)
            self._begun += 1
            self.killed[victim] += 1
            await asyncio.sleep(away)
            await self._stack.restart(victim)
            self._done += 1

    @property
    def is_due(self) -> bool:
        """Whether somebody is to die, or to come back, before the run goes on."""
        return self._waits(self._done)

    async def at_the_gate(self) -> None:
        """Wait while somebody should have died already; who is dead and not back yet is no reason to wait."""
        while self._waits(self._begun):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)

    def _waits(self, number: int) -> bool:
        return number < len(self._plan) and self._share() >= self._plan[number][0]
