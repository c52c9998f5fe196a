"""Lets policies decide the limits of locked accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from credit.accounts.model import Account, Key
from credit.errors import CustomerErased, LimitsNotSet
from credit.limits import store
from credit.limits.model import decided, month_of, months_before, postponed
from credit.policies.model import Policy
from credit.policies.store import Policies
from kit import db
from kit.errors import DomainError


async def under_policy(conn: db.Conn, policies: Policies, account: Account, at: datetime) -> Account:
    """Return a locked account with the limit that its shop's policy gives it at `at`.

    Raises CUSTOMER_ERASED, LIMITS_NOT_SET where the policy in force has no limits plugin, PLUGIN_MISSING,
    PLUGIN_FAILED.
    """
    if account.erased:  # what was bought is forgotten
        raise CustomerErased(account.customer_id)
    policy = await policies.of(conn, account.merchant_id, at)
    if policy.limits is None:
        raise LimitsNotSet
    spend = await _bought(conn, [(account, policy)], at)
    return decided(account, policy, account.local_date(at), spend[account.key])


async def again(
    conn: db.Conn, accounts: Iterable[tuple[Account, Policy]], at: datetime
) -> tuple[list[tuple[Account, Account]], list[DomainError]]:
    """Return (before, after) of locked accounts whose policy decides their limit again at `at`.

    Where a plugin is missing or fails the limit stays, and is asked for again the next local day; with the
    errors that said so.
    """
    every = list(accounts)
    spend = await _bought(conn, every, at)
    after: list[tuple[Account, Account]] = []
    errors: list[DomainError] = []
    for account, policy in every:
        today = account.local_date(at)
        try:
            after.append((account, decided(account, policy, today, spend[account.key])))
        except DomainError as error:
            errors.append(error)
            after.append((account, postponed(account, today)))
    return after, errors


async def _bought(
    conn: db.Conn, accounts: Iterable[tuple[Account, Policy]], at: datetime
) -> dict[Key, dict[date, int]]:
    """Read the months that each policy's plugin looks at."""
    found: dict[Key, dict[date, int]] = {}
    windows: dict[Key, store.Window] = {}
    for account, policy in accounts:
        found[account.key] = {}
        month = month_of(account.local_date(at))
        if policy.months:
            windows[account.key] = store.Window(months_before(month, policy.months)[-1], month)
    if windows:
        found |= await store.bought(conn, windows)
    return found
