"""The end of a run: a table, a few of the real e-mails, the reconciliation, and the same as JSON."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table

from local.demo.compare.found import Found
from local.demo.figures import Sample, quantile, total
from local.demo.gateway import Gateway
from local.demo.progress import Progress
from local.mailsink import Mail

MOST_DIFFERENCES = 200  # in the report; their number is always told
SHOWN = 10
CONFIRMATION = "purchase-confirmation"
MAILS = 4
LOOKED_AT = 3_000  # mails among which those are found that are shown


def percentile(values: array[float], share: float) -> float:
    """The value below which a share of the values lies; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compare_mails(found: Found, mailbox: Iterable[Mail]) -> tuple[int, int]:
    """Check that each address got a mail for each message sent; return mails, and repeats besides."""
    seen: set[str] = set()
    repeats = 0
    got: Counter[str] = Counter()
    for mail in mailbox:
        if mail.message_id in seen:
            repeats += 1
            continue
        seen.add(mail.message_id)
        got.update(mail.recipients)
    for address, count in found.mails.items():
        found.check(address, "mails received", count, got[address])
    for address in got.keys() - found.mails.keys():
        found.differences.append(f"{address}: got {got[address]} mails and must get none")
    return len(seen), repeats


def build(
    progress: Progress,
    found: Found,
    gateway: Gateway,
    samples: Mapping[str, list[Sample]],
    latency: Mapping[str, array[float]],
    probe: array[float],
    costs: Mapping[str, Mapping[str, float]],
    mails: tuple[int, int],
    seconds: float,
) -> dict[str, Any]:
    """Put the figures of a run together."""
    every = [sample for page in samples.values() for sample in page]
    baskets = max(1, progress.baskets)
    return {
        "baskets": progress.baskets,
        "customers": progress.customers,
        "seconds": round(seconds, 1),
        "baskets_per_s": round(progress.baskets_per_s, 1),
        "sending_seconds": round(progress.sending_seconds, 1),
        "settling_seconds": round(progress.settling_seconds, 1),
        "stops": progress.stops,
        "anonymous": progress.anonymous,
        "points_earned": found.points_earned,
        "points_redeemed": found.points_redeemed,
        "expired_points": found.points_expired,
        "tiers": dict(found.tiers),
        "tier_changes": found.tier_changes,
        "invoices": found.invoices,
        "outstanding": found.outstanding,
        "payments": found.payments,
        "holds": progress.holds,
        "holds_declined": progress.declined,
        "holds_declined_overdue": progress.declined_overdue,
        "holds_expired": found.holds_expired,
        "reservations": progress.reservations,
        "reservations_expired": found.reservations_expired,
        **_messages(found),
        "mails": mails[0],
        "mails_repeated": mails[1],
        "returns": progress.returns,
        "sent_twice": gateway.doubled,
        "answers_lost": gateway.lost,
        "retries": gateway.retries,
        "events": int(total(every, "langganan_relay_sent_total")),
        "duplicates": int(total(every, "langganan_inbox_duplicates_total")),
        "parked": int(total(every, "langganan_parked_events")),
        "rpc": {
            name: {
                "calls": len(times),
                "p50": round(percentile(times, 0.5) * 1000, 1),
                "p99": round(percentile(times, 0.99) * 1000, 1),
            }
            for name, times in sorted(latency.items())
        },
        "event_lag_p99_ms": round(quantile(every, "langganan_event_seconds", 0.99) * 1000, 1),
        "purchase_to_points_p99_ms": round(percentile(probe, 0.99) * 1000, 1),
        "cpu_ms_per_basket": {
            name: round(used * 1000 / baskets, 2) for name, used in costs["cpu_seconds"].items()
        },
        "memory_mb": dict(costs["memory_mb"]),
        "reconciled": not found.differences,
        "differences_in_all": len(found.differences),
        "differences": found.differences[:MOST_DIFFERENCES],
    }


def _messages(found: Found) -> dict[str, Any]:
    """Messages that were sent, by what they say, and those that were skipped, by why."""
    reasons: Counter[str] = Counter()
    for (_, reason), count in found.skipped.items():
        reasons[reason] += count
    skipped = sum(count for (kind, _), count in found.skipped.items() if kind == CONFIRMATION)
    return {
        "confirmations": found.sent[CONFIRMATION],
        "confirmations_skipped": skipped,
        "receipts": found.sent["payment-received"],
        "reminders": found.sent["payment-due"],
        "overdue": found.sent["payment-overdue"],
        "birthdays": found.sent["birthday"],
        "expiry_notices": found.sent["points-expiring"],
        "tier_notices": found.sent["tier-changed"],
        "messages_skipped": dict(sorted(reasons.items())),
    }


def show(console: Console, report: dict[str, Any], letters: Iterable[Mail]) -> None:
    """Print the report for people."""
    table = Table("of the run", "", title="What was played", title_justify="left")
    for name, value in report.items():
        if not isinstance(value, dict | list):
            text = f"{value:,}" if type(value) in (int, float) else str(value)
            table.add_row(name.replace("_", " "), text)
    calls = Table("call", "calls", "p50 ms", "p99 ms", title="As the till saw it", title_justify="left")
    for name, times in report["rpc"].items():
        calls.add_row(name, f"{times['calls']:,}", f"{times['p50']}", f"{times['p99']}")
    parts = Table("part", "CPU ms a basket", "memory MB", title="What it cost", title_justify="left")
    for name, used in report["cpu_ms_per_basket"].items():
        parts.add_row(name, f"{used}", f"{report['memory_mb'].get(name, '')}")
    console.print(Columns([table, Group(calls, parts)], padding=(0, 4)))
    for subject, letter in _different(letters).items():
        console.print(
            Panel(letter.text().strip(), title=subject, subtitle=", ".join(letter.recipients), width=90)
        )
    if report["reconciled"]:
        console.print(
            f"[bold green]Reconciled:[/] the oracle finds every point, rupiah and message of "
            f"{report['baskets']:,} baskets of {report['customers']:,} customers where it belongs."
        )
        return
    console.print(f"[bold red]Not reconciled:[/] {report['differences_in_all']:,} differences, the first:")
    for difference in report["differences"][:SHOWN]:
        console.print(f"  {difference}", highlight=False, markup=False)


def _different(letters: Iterable[Mail]) -> dict[str, Mail]:
    """Choose a few mails by subject: the first whose subject begins in each way."""
    chosen: dict[str, Mail] = {}
    begun: set[str] = set()
    for letter in islice(letters, LOOKED_AT):
        subject = str(letter.parse()["Subject"])
        beginning = subject.split(" ")[0]
        if beginning not in begun:
            begun.add(beginning)
            chosen[subject] = letter
        if len(chosen) == MAILS:
            break
    return chosen


def write(report: dict[str, Any], path: Path) -> None:
    """Write the report as JSON."""
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
