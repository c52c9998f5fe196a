"""Finds purchases: by customer, receipt number, store and time, newest first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from customers.purchases.sql import queries
from kit import paging
from kit.db import Conn
from kit.errors import InvalidArgument
from kit.fingerprint import Field

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


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


def position(token: str, *fields: Field) -> tuple[datetime, str] | None:
    """Return (instant, id) after which a page begins, None for the first; raises INVALID_PAGE_TOKEN."""
    found = paging.decode(token, *fields)
    if found is None:
        return None
    try:
        at, id_ = found
        return datetime.fromisoformat(str(at)).astimezone(UTC), str(uuid.UUID(str(id_)))
    except ValueError as error:
        raise InvalidArgument("page_token is damaged; begin again", reason="INVALID_PAGE_TOKEN") from error


async def page(conn: Conn, wanted: Filter, token: str, size: int) -> tuple[list[asyncpg.Record], str]:
    """Return a page of purchase rows and the token of the next one, "" where there is none."""
    at, id_ = position(token, *wanted.fields()) or (LATEST, _LAST_ID)
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
    if len(rows) <= size:
        return rows, ""
    last = rows[size - 1]
    return rows[:size], paging.encode(
        [last["effective_at"].isoformat(), str(last["purchase_id"])], *wanted.fields()
    )
