"""Whose account a call concerns: the customer named, of the merchant that the caller's token names."""

from __future__ import annotations

from credit.accounts.model import Key
from kit.auth import caller
from kit.ids import check_customer_id


def account_key(customer_id: str) -> Key:
    """Return the key of the customer's account; raise INVALID_CUSTOMER_ID."""
    return Key(caller().merchant_id, check_customer_id(customer_id))
