"""Whose account a call concerns (the customer named, of the token's merchant), and which till made it."""

from __future__ import annotations

from credit.accounts.model import Key
from credit.holds.model import Till
from kit.auth import caller
from kit.ids import check_customer_id
from langganan.types.v1 import origin_pb2


def account_key(customer_id: str) -> Key:
    """Return the key of the customer's account; raise INVALID_CUSTOMER_ID."""
    return Key(caller().merchant_id, check_customer_id(customer_id))


def till(origin: origin_pb2.Origin, recognised_by: int = 0) -> Till:
    """Return where a call comes from, for the record."""
    whole = origin.SerializeToString(deterministic=True)
    return Till(origin.store_id, origin.register_id, origin.staff_ref, recognised_by, whole)
