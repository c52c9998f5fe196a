"""The live view: how far the run has come and what the services say meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from local.demo.figures import Sample, quantile, scrape, total
from local.demo.progress import Progress

LOOK_SECONDS = 2.0  # between two looks at /metrics: each costs the services a few milliseconds
LINE_SECONDS = 15.0  # between two lines where there is no terminal
# Kinds of messages, and what the view calls them.
TOLD = {
    "payment-due": "reminders",
    "payment-overdue": "overdue notices",
    "points-expiring": "points expiring",
    "tier-changed": "new tiers",
    "birthday": "birthdays",
}


class View:
    """Shows the progress on a terminal, or as a line now and then where there is none."""

    def __init__(self, console: Console, progress: Progress, http: Callable[[], Mapping[str, int]]) -> None:
        self._console = console
        self._progress = progress
        self._http = http
        self._samples: dict[str, list[Sample]] = {}

    async def run(self) -> None:
        """Show until cancelled."""
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(LINE_SECONDS)
                await self._look()
                self._console.print(self._line(), highlight=False)
        with Live(self._panel(), console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                await self._look()
                live.update(self._panel(), refresh=True)
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if self._progress.baskets:
            self._samples = await scrape(self._http())

    def _figures(self) -> dict[str, str]:
        progress, samples = self._progress, self._samples
        every = [sample for page in samples.values() for sample in page]
        points = total(samples.get("loyalty", ()), "langganan_loyalty_points_total", kind="EARN")
        expired = total(samples.get("loyalty", ()), "langganan_loyalty_points_total", kind="EXPIRE")
        sent = self._sent()
        return {
            "baskets/s": f"{progress.baskets_per_s:,.0f}",
            "points earned": f"{points:,.0f}",
            "expired": f"{expired:,.0f}",
            "credit outstanding": f"Rp {progress.outstanding:,}".replace(",", "."),
            "messages": f"{sent:,.0f}",
            "event lag p99": f"{quantile(every, 'langganan_event_seconds', 0.99) * 1000:,.0f} ms",
        }

    def _sent(self, **labels: str) -> float:
        name = "langganan_notify_messages_finished_total"
        return total(self._samples.get("notify", ()), name, state="SENT", **labels)

    def _line(self) -> str:
        progress = self._progress
        rest = " · ".join(f"{name} {value}" for name, value in self._figures().items())
        count = f"{progress.baskets:,} of {progress.baskets_in_all:,} baskets"
        return f"{progress.phase} {progress.day} · {count} · {rest}"

    def _panel(self) -> Panel:
        progress = self._progress
        table = Table.grid(padding=(0, 3))
        figures = self._figures()
        table.add_row(*(f"[dim]{name}[/]" for name in figures))
        table.add_row(*(f"[bold]{value}[/]" for value in figures.values()))
        more = (
            f"{progress.anonymous:,} anonymous · {progress.returns:,} returns · "
            f"{progress.payments:,} payments · {progress.holds:,} holds ({progress.declined:,} declined) · "
            f"{progress.reservations:,} reservations"
        )
        told = " · ".join(f"{self._sent(kind=kind):,.0f} {words}" for kind, words in TOLD.items())
        bar = ProgressBar(total=max(1, progress.baskets_in_all), completed=progress.baskets, width=60)
        count = f"{progress.baskets:,} of {progress.baskets_in_all:,} baskets"
        return Panel(
            Group(bar, count, "", table, "", f"[dim]{more}[/]", f"[dim]{told}[/]"),
            title=f"{progress.phase} {progress.day}".strip(),
            width=100,
        )
