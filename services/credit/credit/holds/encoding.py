"""Holds, and what to say of a decline, as the contract shows them."""

from __future__ import annotations

from credit.accounts import encode
from credit.accounts.model import Account
from credit.holds import say
from credit.holds.model import Hold, State
from kit.auth import caller
from langganan.credit.v1 import holds_pb2

_STATES = {state: holds_pb2.HoldState.Value(f"HOLD_STATE_{state}") for state in State}


def hold(found: Hold, account: Account) -> holds_pb2.Hold:
    """A hold in the currency of its account."""
    shown = holds_pb2.Hold(
        hold_id=found.hold_id,
        customer_id=found.customer_id,
        state=_STATES[found.state],
        decided_at=encode.stamp(found.decided_at),
        expires_at=None if found.expires_at is None else encode.stamp(found.expires_at),
        amount=None if found.amount is None else encode.money(account, found.amount),
        invoice_id=found.invoice_id or "",
        allowance_id=found.allowance_id or "",
    )
    if found.state is State.CAPTURED:
        shown.captured_amount.CopyFrom(encode.money(account, found.captured))
    if found.reason is not None:
        shown.decline.CopyFrom(_decline(found, account))
    return shown


def _decline(hold: Hold, account: Account) -> holds_pb2.Decline:
    assert hold.reason is not None, "only a decline has a reason"
    left = say.amount(hold.available, account.currency_code, account.minor_digits, caller().language)
    return holds_pb2.Decline(
        reason=holds_pb2.DeclineReason.Value(f"DECLINE_REASON_{hold.reason}"),
        say=say.sentence(hold.reason, left, caller().language),
        available=encode.money(account, hold.available) if hold.amount is not None else None,
    )
