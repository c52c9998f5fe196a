"""Books, programs and lines for the tests of loyalty's models, and what must hold of every book."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from kit.money import Currency
from loyalty.accounts.model import Book
from loyalty.programs.model import Line, Program
from loyalty.programs.plugins import PerAmount

AT = datetime(2026, 3, 2, 5, tzinfo=UTC)
TODAY = date(2026, 3, 2)
IDR = Currency("IDR", 0)


def program(**changes: Any) -> Program:
    fields: dict[str, Any] = {
        "version": 1,
        "effective_from": AT - timedelta(days=1),
        "currency": IDR,
        "earning": (PerAmount(PerAmount.Config(step=1000)),),
        "tier_plugin": None,
        "tiers": (),
        "benefits": (),
        "point_value": 10,
        "expiry_months": 12,
        "excluded_tenders": frozenset(),
        "min_redeem_points": 0,
        "max_offline_points": 0,
        "expiry_notice_days": 0,
    }
    return Program(**{**fields, **changes})


def line(net: int, *, counts: bool = True, line_id: str = "1") -> Line:
    return Line(line_id, "p", (), 1000, net, counts)


def check(book: Book) -> None:
    """Account, lots and ledger say the same, and nothing is owed while a point is free."""
    account = book.account
    assert account.in_lots == sum(lot.left for lot in book.lots.values())
    assert account.balance == sum(entry.points for entry in book.entries)
    assert all(0 <= lot.left <= lot.points for lot in book.lots.values())
    assert 0 <= account.reserved <= account.in_lots
    assert account.negative >= 0
    assert account.negative == 0 or account.active == 0
    if book.entries:
        assert book.entries[-1].balance_after == account.balance
