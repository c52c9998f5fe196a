"""Accounts and entries as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langganan.loyalty.v1 import accounts_pb2 as pb
from langganan.loyalty.v1 import tiers_pb2
from loyalty.accounts.present import Present
from loyalty.events import stamp, to_date


def account_message(present: Present, standing: tiers_pb2.TierStanding, asked: str) -> pb.Account:
    """Return an account under the id that was asked for."""
    account = present.account
    assert account.opened_at is not None
    return pb.Account(
        customer_id=asked,
        balance=account.balance,
        active=present.active,
        reserved=account.reserved,
        negative=account.negative,
        expiring_next=present.expiring_next,
        expires_on=to_date(present.expires_on),
        standing=standing,
        opened_at=stamp(account.opened_at),
        merged_into=account.customer_id if account.customer_id != asked else "",
        lapsed=present.lapsed,
    )


def entry_message(row: Mapping[str, Any]) -> pb.Entry:
    """Return an entry of the ledger."""
    return pb.Entry(
        entry_no=row["entry_no"],
        kind=pb.EntryKind.Value(f"ENTRY_KIND_{row['kind']}"),
        points=row["points"],
        balance_after=row["balance_after"],
        cause=pb.CauseKind.Value(f"CAUSE_KIND_{row['cause']}"),
        cause_id=row["cause_id"],
        line_id=row["line_id"],
        purchase_id=row["purchase_id"],
        program_version=row["program_version"],
        effective_at=stamp(row["effective_at"]),
        booked_at=stamp(row["booked_at"]),
    )


def lot_message(row: Mapping[str, Any]) -> pb.Lot:
    """Return a lot."""
    return pb.Lot(
        entry_no=row["entry_no"],
        points=row["points"],
        points_left=row["points_left"],
        expires_on=to_date(row["expires_on"]),
    )
