"""The window in which misses count slides, so that nobody gets twice the limit at its edge."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from customers.profiles.misses import Misses

WINDOW, MOST = 600, 60


@pytest.mark.parametrize(
    ("before", "here", "elapsed", "wait"),
    [
        (0, 59, 0, 0),
        (60, 0, 1, 9),  # 60 spread over the window before: one of them leaves every ten seconds
        (60, 0, 10, 0),
        (120, 0, 0, 305),
        (60, 30, 300, 10),
        (0, 60, 599, 11),
        (0, 600, 0, 1141),
    ],
)
def test_the_window_slides(before: int, here: int, elapsed: int, wait: int) -> None:
    assert Misses(before, here).wait(elapsed, WINDOW, MOST) == wait


counts = st.integers(0, 1_000)


@given(before=counts, here=counts, elapsed=st.integers(0, WINDOW - 1))
def test_who_waits_as_told_may_ask_and_a_second_earlier_may_not(before: int, here: int, elapsed: int) -> None:
    misses = Misses(before, here)
    wait = misses.wait(elapsed, WINDOW, MOST)
    assert 0 <= wait <= 2 * WINDOW
    assert counted(misses, elapsed + wait) < MOST
    if wait:
        assert counted(misses, elapsed + wait - 1) >= MOST


def counted(misses: Misses, at: int) -> int:
    """Misses that count `at` seconds after the window began, when none come meanwhile."""
    if at < WINDOW:
        return misses.sliding(at, WINDOW)
    if at < 2 * WINDOW:
        return Misses(misses.here, 0).sliding(at - WINDOW, WINDOW)
    return 0


async def test_a_refusal_says_when_to_come_again_and_no_till_waits_by_itself(desk: Any, number: str) -> None:
    for n in range(60):
        await desk.identify("rogue", phone=f"0819{n:08}")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await desk.identify("rogue", phone=number)
    trailing = dict(failed.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    assert 0 < retry.retry_delay.seconds <= WINDOW
    assert trailing["grpc-retry-pushback-ms"] == "-1"


async def test_what_the_window_before_counted_still_counts_in_part(
    desk: Any, refused: Any, number: str
) -> None:
    await desk.identify("rogue", phone=number)
    # A whole window ago there were far more than is allowed, so nearly all of them count still.
    earlier = (
        "INSERT INTO identify_misses SELECT merchant_id, store_id, register_id, window_start - $2, 60000"
    )
    where = " FROM identify_misses WHERE merchant_id = $1"
    await desk.vault.execute(earlier + where, desk.merchant, WINDOW)
    assert (await refused(desk.identify("rogue", phone=number))).reason == "TOO_MANY_MISSES"
