"""Allowances, and what became of holds that were handed in, as the contract shows them."""

from __future__ import annotations

from datetime import datetime

from google.type.money_pb2 import Money

from credit.accounts import encode
from credit.allowances.hand_in import Answer, Offline, Taken
from credit.allowances.model import Allowance
from credit.holds import encoding as holds
from kit.errors import DomainError
from kit.money import to_money
from kit.rpc.errors import status_of
from langganan.credit.v1 import allowances_pb2


def allowance(found: Allowance, at: datetime) -> allowances_pb2.Allowance:
    """An allowance as it stands at `at`."""
    shown = allowances_pb2.Allowance(
        allowance_id=found.allowance_id,
        store_id=found.store_id,
        amount=_money(found, found.amount),
        valid_from=encode.stamp(found.valid_from),
        valid_until=encode.stamp(found.valid_until),
        minor_digits=found.currency.digits,
        time_zone=found.time_zone,
        used=_money(found, found.used),
        over=_money(found, found.over),
        available=_money(found, found.left(at)),
        granted_at=encode.stamp(found.granted_at),
        staff_ref=found.staff_ref,
        ended_by=found.ended_by,
    )
    if found.customer_limit is not None:
        shown.customer_limit.CopyFrom(_money(found, found.customer_limit))
    if found.ended_at is not None:
        shown.ended_at.CopyFrom(encode.stamp(found.ended_at))
    return shown


def _money(of: Allowance, minor: int) -> Money:
    return to_money(minor, of.currency)


def handed_in(answer: Answer, asked: tuple[Offline, ...], at: datetime) -> allowances_pb2.HandInResponse:
    """What became of each hold that was asked for, and the allowance at `at`."""
    return allowances_pb2.HandInResponse(
        holds=[_taken(taken, offline, at) for offline, taken in zip(asked, answer.holds, strict=True)],
        allowance=allowance(answer.allowance, at),
    )


def _taken(taken: Taken | DomainError, offline: Offline, at: datetime) -> allowances_pb2.HandedIn:
    if isinstance(taken, DomainError):
        return allowances_pb2.HandedIn(hold_id=offline.hold_id, error=status_of(taken))
    account, over = taken.account, taken.account.over_at(at)
    excess = taken.use.excess if taken.use is not None else 0
    return allowances_pb2.HandedIn(
        hold_id=offline.hold_id,
        hold=holds.hold(taken.hold, account),
        over_allowance=encode.money(account, excess) if excess else None,
        over_limit=encode.money(account, over) if over else None,
    )
