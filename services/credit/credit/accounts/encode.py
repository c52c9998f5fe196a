"""Accounts and their money as the contract shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from credit.accounts.model import Account, Key, Made, Override, PolicyLimit, Status, StoreRoom
from credit.errors import InvalidDate
from kit.money import Currency, InvalidMoney, to_minor, to_money
from langganan.credit.v1 import accounts_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def currency(account: Account) -> Currency:
    """The account's currency."""
    return Currency(account.currency_code, account.minor_digits)


def money(account: Account, minor: int) -> Money:
    """Minor units in the account's currency."""
    return to_money(minor, currency(account))


def positive(amount: Money, of: Currency, field: str = "amount") -> int:
    """Return an amount in minor units; raise INVALID_MONEY unless it is more than zero."""
    minor = to_minor(amount, of, field)
    if minor <= 0:
        raise InvalidMoney(f"{field} must be more than zero", field=field)
    return minor


def limit(amount: Money, of: Currency) -> int:
    """Return a limit in minor units; raise INVALID_MONEY if it is negative."""
    minor = to_minor(amount, of, "limit")
    if minor < 0:
        raise InvalidMoney("limit must be zero or more", field="limit")
    return minor


def day(value: date) -> Date:
    """A local date."""
    return Date(year=value.year, month=value.month, day=value.day)


def read_day(value: Date, field: str) -> date:
    """Return a local date; raise INVALID_DATE for none of the calendar."""
    try:
        return date(value.year, value.month, value.day)
    except ValueError as error:
        raise InvalidDate(field) from error


def account(
    found: Account, asked: Key, overdue: int, at: datetime, *, blocked: bool, rooms: Sequence[StoreRoom] = ()
) -> accounts_pb2.Account:
    """An open account at `at`, whoever was asked for; `overdue` in minor units.

    `blocked`: for that, nothing is approved.
    """
    shown = accounts_pb2.Account(
        customer_id=found.customer_id,
        status=accounts_pb2.AccountStatus.Value(f"ACCOUNT_STATUS_{found.status}"),
        currency_code=found.currency_code,
        minor_digits=found.minor_digits,
        time_zone=found.time_zone,
        limit=money(found, found.limit),
        posted=money(found, found.posted),
        held=money(found, found.held),
        credit_balance=money(found, found.credit_balance),
        available=money(found, found.available_at(at)),
        overdue=money(found, overdue),
        blocked=blocked,
        net_days=found.net_days,
        due_day=found.due_day,
        limit_override=override(found, found.override_at(at)),
        limit_wished=money(found, found.limit_wished) if found.limit_wished else None,
        customer_erased=found.erased,
        merged_into=found.customer_id if asked != found.key else "",
        revision=found.revision,
        store_limits=[_room(found, room) for room in rooms],
        limit_by_policy=_by_policy(found.by_policy),
    )
    if found.opened_at is not None:
        shown.opened_at.CopyFrom(stamp(found.opened_at))
    return shown


def _by_policy(found: PolicyLimit | None) -> accounts_pb2.PolicyLimit | None:
    if found is None:
        return None
    return accounts_pb2.PolicyLimit(policy_version=found.version, again_on=day(found.again_on))


def _room(of: Account, room: StoreRoom) -> accounts_pb2.StoreLimit:
    return accounts_pb2.StoreLimit(
        store_id=room.store_id,
        limit=money(of, room.limit),
        used=money(of, room.used),
        available=money(of, room.left),
    )


def override(of: Account, found: Override | None) -> accounts_pb2.LimitOverride | None:
    """Another limit for a time."""
    if found is None:
        return None
    return accounts_pb2.LimitOverride(limit=money(of, found.limit), until=stamp(found.until))


def change(of: Account, found: Made) -> accounts_pb2.AccountChange:
    """A change of an account, in its currency."""
    shown = accounts_pb2.AccountChange(
        kind=accounts_pb2.ChangeKind.Value(f"CHANGE_KIND_{found.kind}"),
        request_id=found.request_id,
        changed_at=stamp(found.changed_at),
        reason=found.reason,
        staff_ref=found.staff_ref,
        limit=money(of, found.limit),
        net_days=found.net_days,
        due_day=found.due_day,
        limit_override=override(of, found.override),
        revision=found.revision,
        merged_customer_id=found.merged_customer_id,
        absorbed_from=found.absorbed_from,
        limit_policy_version=found.limit_policy,
    )
    if found.of_store is not None:
        shown.store_id = found.of_store.store_id
        if found.of_store.limit is not None:
            shown.store_limit.CopyFrom(money(of, found.of_store.limit))
    if found.status not in ("", Status.UNOPENED):
        shown.status = accounts_pb2.AccountStatus.Value(f"ACCOUNT_STATUS_{found.status}")
    return shown


def stamp(at: datetime) -> Timestamp:
    """An instant. Each hold has two, so the arithmetic is ours: a third of what FromDatetime takes."""
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)
