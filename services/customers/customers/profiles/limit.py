"""The limit on guessing addresses: a register that missed too often waits, by whichever call it guessed.

A miss is an address that Identify finds nobody by, and one that a registration or an update finds held by
another: either answer says whether an address is somebody's.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from customers.errors import TooManyMisses
from customers.profiles.misses import Misses
from customers.vault import read
from customers.vault.read import Reader, Register
from kit import db


def register_of(who: Reader) -> Register:
    """Where a reader's misses are counted: the register, else the caller."""
    return (who.merchant_id, who.store_id, who.register_id or f"subject {who.subject}")


class MissLimit:
    """At most so many misses a register in a sliding window of wall seconds.

    The counts lie in the vault, for all processes together: who spreads guesses over replicas gains
    nothing, and a process that starts anew forgives nothing.
    """

    def __init__(self, misses_max: int, window_s: int) -> None:
        self._misses_max, self._window_s = misses_max, window_s

    async def waits(self, conn: db.Conn, registers: Collection[Register]) -> dict[Register, int]:
        """Return those that missed too often of late, and in how many seconds they may ask again."""
        if not registers:
            return {}
        start, elapsed = self._window()
        counted = await read.misses(conn, sorted(registers), [start - self._window_s, start])
        waits = {
            r: Misses(counted.get((r, start - self._window_s), 0), counted.get((r, start), 0)).wait(
                elapsed, self._window_s, self._misses_max
            )
            for r in registers
        }
        return {r: wait for r, wait in waits.items() if wait}

    async def count(self, conn: db.Conn, missed: Mapping[Register, int]) -> None:
        """Count misses in the window that it is now."""
        await read.add_misses(conn, missed, self._window()[0])

    def refusal(self, wait: int) -> TooManyMisses:
        """Say what the till can do meanwhile, and in how many seconds it may ask again."""
        error = TooManyMisses(
            f"this register missed {self._misses_max} numbers or addresses; go on by card or member code, or "
            "register the customer without them"
        )
        error.retry_after = float(wait)
        return error

    def _window(self) -> tuple[int, int]:
        now = int(time.time())
        return now - now % self._window_s, now % self._window_s
