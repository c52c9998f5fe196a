"""The demo in small: some households' months through all four processes, every point and rupiah found."""

import io

from rich.console import Console

from local.demo.__main__ import STAGES, Run
from local.settings import LocalSettings


async def test_some_households_months_are_reconciled(stack_settings: LocalSettings) -> None:
    run = Run(300, 4, STAGES[4], Console(file=io.StringIO()), days=64)
    report = await run.play(stack_settings)
    assert report["differences"] == []
    assert report["reconciled"]
    assert report["baskets"] >= 20
    assert report["parked"] == 0
    assert report["points_earned"] > 0
    assert report["rpc"]["RecordPurchase"]["calls"] >= report["baskets"]
    # Time has passed: a hundred days from January, with a 28 February.
    assert report["stops"] > 200
    assert report["expired_points"] > 0
    assert report["expiry_notices"] > 0
    assert report["tier_changes"] > 0
    assert report["birthdays"] >= 2
    assert report["reminders"] + report["overdue"] > 0
