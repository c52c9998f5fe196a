"""Baskets are sold to an undisturbed installation, and everything adds up."""

from __future__ import annotations

import time

from local.cluster.stand import Stand

SECONDS = 45.0


def check(stand: Stand) -> str:
    """Sell for a while."""
    with stand.replay("sales") as replay:
        time.sleep(SECONDS)
    return replay.said
