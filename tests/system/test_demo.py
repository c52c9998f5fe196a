"""The demo in small: some households' weeks through all four processes, every point and rupiah found."""

import io

from rich.console import Console

from local.demo.__main__ import STAGES, Run
from local.settings import LocalSettings


async def test_some_households_weeks_are_reconciled(stack_settings: LocalSettings) -> None:
    run = Run(400, 9, STAGES[4], Console(file=io.StringIO()), days=35)
    report = await run.play(stack_settings)
    assert report["differences"] == []
    assert report["reconciled"]
    assert report["baskets"] >= 20
    assert report["parked"] == 0
    assert report["points_earned"] > 0
    assert report["rpc"]["RecordPurchase"]["calls"] >= report["baskets"]
