"""Compares what loyalty holds: the ledger entry by entry, lots, reservations, tiers, notices of expiry."""

from __future__ import annotations

from collections import Counter

from local.demo import ask
from local.demo.compare.found import Found
from local.demo.gateway import Gateway
from local.demo.heard import Heard
from local.demo.oracle.books import Books


async def compare_points(gateway: Gateway, found: Found, books: Books, heard: Heard | None) -> None:
    """Compare the points account of a customer.

    `heard`: what the topics say, None where they are out of reach.
    """
    customer, purse = books.customer_id, books.points.purse
    account, lots = await ask.points_account(gateway, customer)
    entries = await ask.entries(gateway, customer)
    must = Counter(
        ask.EntryFound(e.effect, e.cause_id, e.about, e.points, e.at) for e in books.points.entries
    )
    is_ = Counter(entries)
    for entry in (must - is_).elements():
        found.differences.append(f"{customer}: the points entry {entry} is missing")
    for entry in (is_ - must).elements():
        found.differences.append(f"{customer}: the points entry {entry} should not be")
    found.check(
        customer,
        "balance, active, reserved and negative points",
        (purse.balance, purse.active, purse.reserved, purse.owed),
        (account.balance, account.active, account.reserved, account.negative),
    )
    left = purse.by_expiry()
    soonest = min((day for day in left if day), default=None)
    found.check(customer, "points by their last day", left, lots)
    found.check(
        customer,
        "points that expire next",
        (soonest, left.get(soonest, 0) if soonest else 0),
        (ask.date(account.expires_on), account.expiring_next),
    )
    states = {name: await ask.reservation(gateway, customer, name) for name in books.points.reservations}
    found.check_each(customer, "reservation", books.points.reservations, states)
    if heard is not None:
        _compare_heard(found, books, heard)
    tier = books.points.standing.now
    found.check(customer, "tier", tier, account.standing.tier)
    found.check(customer, "category", tier, await ask.category(gateway, customer))
    found.tiers[account.standing.tier] += 1
    found.reservations_expired += sum(state == "EXPIRED" for state in states.values())
    found.points_active += account.active
    found.points_earned += _points(entries, "EARN")
    found.points_redeemed -= _points(entries, "REDEEM")
    found.points_expired -= _points(entries, "EXPIRE")


def _compare_heard(found: Found, books: Books, heard: Heard) -> None:
    """Compare what loyalty told the others: each change of tier, each notice of points that expire."""
    changes = heard.tier_changes(books.customer_id)
    found.check(
        books.customer_id,
        "changes of tier",
        [(one.before, one.now, one.cause_id, one.since) for one in books.points.standing.changes],
        changes,
    )
    found.check(
        books.customer_id,
        "notices of points that expire",
        [(one.local_date, one.points) for one in books.points.notices],
        heard.expiring(books.customer_id),
    )
    found.tier_changes += len(changes)


def _points(entries: list[ask.EntryFound], effect: str) -> int:
    return sum(entry.points for entry in entries if entry.effect == effect)
