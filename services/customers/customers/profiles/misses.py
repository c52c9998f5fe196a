"""How many misses a register had in the window that ends now, from counts a fixed window: whole seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Misses:
    """Counts of the fixed window that `elapsed` seconds have passed of, and of the one before it."""

    before: int
    here: int

    def sliding(self, elapsed: int, window: int) -> int:
        """Misses of the last `window` seconds, as if those of the window before were spread evenly in it."""
        return -(-self.before * (window - elapsed) // window) + self.here

    def wait(self, elapsed: int, window: int, most: int) -> int:
        """Seconds until there are fewer than `most`; 0: there are now."""
        if self.sliding(elapsed, window) < most:
            return 0
        if self.here < most:
            # before × (window − t) ÷ window, rounded up, must be at most what is left of `most`.
            left = most - 1 - self.here
            return window - left * window // self.before - elapsed
        after = Misses(self.here, 0)
        return window - elapsed + after.wait(0, window, most)
