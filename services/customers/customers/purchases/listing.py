"""Finds purchases: by customer, receipt number, store and time, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from customers.purchases.sql import queries
from kit import paging
from kit.db import Conn
from kit.fingerprint import Field

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which purchases; "" matches all. [from_time, to_time) is about effective_at."""

    merchant_id: str
    customer_id: str
    receipt_number: str
    store_id: str
    from_time: datetime
    to_time: datetime

    def fields(self) -> tuple[Field, ...]:
        """What a page token is bound to."""
        return (
            self.merchant_id,
            self.customer_id,
            self.receipt_number,
            self.store_id,
            self.from_time.isoformat(),
            self.to_time.isoformat(),
        )


async def page(conn: Conn, wanted: Filter, token: str, size: int) -> tuple[list[asyncpg.Record], str]:
    """Return a page of purchase rows and the token of the next one, "" where there is none."""
    at, id_ = paging.before(token, *wanted.fields()) or (LATEST, paging.LAST_ID)
    arguments: dict[str, object] = {
        "merchant_id": wanted.merchant_id,
        "from_time": wanted.from_time,
        "to_time": wanted.to_time,
        "before_at": at,
        "before_id": id_,
        "size": size + 1,
    }
    # One query for each index, so that none of them ever reads more than a page.
    if wanted.customer_id:
        query = queries.list_by_customer
        arguments |= {"customer_id": wanted.customer_id}
        arguments |= {"receipt": wanted.receipt_number, "store_id": wanted.store_id}
    elif wanted.receipt_number:
        query = queries.list_by_receipt
        arguments |= {"receipt": wanted.receipt_number, "store_id": wanted.store_id}
    elif wanted.store_id:
        query = queries.list_by_store
        arguments |= {"store_id": wanted.store_id}
    else:
        query = queries.list_by_time
    rows = [row async for row in query(conn, **arguments)]
    token = paging.next_token(
        rows, size, lambda row: (row["effective_at"], str(row["purchase_id"])), *wanted.fields()
    )
    return rows[:size], token
