"""Which months a limit is made of, and what an account is after its policy decided its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from credit.accounts.model import Account, Key, PolicyLimit
from credit.limits.plugins import History
from credit.policies.model import Policy


@dataclass(frozen=True, slots=True)
class Spent:
    """What a purchase added to what its customer bought in a local month, or a return took off it.

    `month` is its first day; `amount` minor units, negative for a return.
    """

    key: Key
    month: date
    cause_id: str
    amount: int


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def months_before(month: date, count: int) -> list[date]:
    """The first days of the `count` months before one, the latest first."""
    first = month.year * 12 + month.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(first - 1, first - 1 - count, -1)]


def next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return month_of(month_of(day) + timedelta(days=31))


def history(spend: Mapping[date, int], month: date, count: int) -> History:
    """What was bought in each of the `count` complete months before one; minor units.

    A month counts as nothing where more was given back than bought, which takes two time zones: those of the
    sale and of the return differ at the turn of the month.
    """
    return History(tuple(max(0, spend.get(each, 0)) for each in months_before(month, count)))


def decided(account: Account, policy: Policy, today: date, spend: Mapping[date, int]) -> Account:
    """Return the account with the limit that its shop's policy gives on a local day, until the next month.

    A policy without a limits plugin leaves the limit as it was. Raises PLUGIN_MISSING, PLUGIN_FAILED.
    """
    plugin = policy.limiter()
    if plugin is None:
        assert account.by_policy is not None, "only who is under the policy is decided again"
        return replace(account, by_policy=account.by_policy._replace(again_on=next_month(today)))
    return replace(
        account,
        limit=plugin.limit(history(spend, month_of(today), plugin.months)),
        by_policy=PolicyLimit(policy.version, next_month(today)),
    )


def postponed(account: Account, today: date) -> Account:
    """Return the account as it was, to be decided again tomorrow: its policy's plugin could not say today."""
    assert account.by_policy is not None, "only who is under the policy is decided again"
    return replace(account, by_policy=account.by_policy._replace(again_on=today + timedelta(days=1)))


def is_due(account: Account, today: date) -> bool:
    """Whether the policy decides an account's limit again on a local day."""
    return account.by_policy is not None and account.by_policy.again_on <= today
