"""What profiles publish on the topic "customers"; purchases publish their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from customers.instants import stamp
from customers.merchants.model import Shop
from kit.events import Outgoing
from langganan.events.v1 import customers_pb2

TOPIC = "customers"


def registered(merchant_id: str, customer_id: str, row: dict[str, Any], shop: Shop, at: datetime) -> Outgoing:
    """customer-registered: `row` is the customer's row, `shop` the home store."""
    payload = customers_pb2.CustomerRegistered(
        merchant_id=merchant_id,
        customer_id=customer_id,
        kind=row["kind"],
        currency_code=shop.currency.code,
        minor_digits=shop.currency.digits,
        time_zone=row["time_zone"] or shop.time_zone,
        language=row["language"],
        credit_limit_wished=row["credit_limit_wished"],
        store_id=row["home_store_id"],
        acquisition_source=row["acquisition_source"],
        registered_at=stamp(row["registered_at"]),
        revision=1,
    )
    return Outgoing("customer-registered", merchant_id, customer_id, payload, at)


def updated(
    merchant_id: str, customer_id: str, row: Any, changed: list[str], shop: Shop, at: datetime
) -> Outgoing:
    """customer-updated: `row` is the customer's row afterwards."""
    payload = customers_pb2.CustomerUpdated(
        merchant_id=merchant_id,
        customer_id=customer_id,
        status=row["status"],
        time_zone=row["time_zone"] or shop.time_zone,
        language=row["language"],
        changed_fields=changed,
        updated_at=stamp(at),
        revision=row["revision"],
    )
    return Outgoing("customer-updated", merchant_id, customer_id, payload, at)
