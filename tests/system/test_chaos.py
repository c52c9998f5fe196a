"""Everything is killed now and then while baskets are sold, and every point, rupiah and message is found."""

import io

from rich.console import Console

from local.chaos.run import ChaosRun
from local.settings import LocalSettings

KILLS, SEED = 20, 7
SAMPLE, DAYS = 10_000, 18  # about 500 baskets


async def test_twenty_kills_among_five_hundred_baskets_cost_nothing(stack_settings: LocalSettings) -> None:
    said = io.StringIO()
    report = await ChaosRun(SAMPLE, DAYS, SEED, KILLS, Console(file=said)).play(stack_settings)
    assert report["differences"] == [], said.getvalue()
    assert report["reconciled"]
    assert report["baskets"] >= 450
    assert report["parked"] == 0
    assert sum(report["kills"].values()) == KILLS
    assert set(report["kills"]) == {
        *(
            service + part
            for service in ("customers", "loyalty", "credit", "notify")
            for part in ("", "-work")
        ),
        "postgres",
        "kafka",
    }
    assert report["retries"] > 0, "tills were hit"
    assert report["mails"] > 0
    assert report["mails_repeated"] <= KILLS, "each under the Message-ID that it had"
