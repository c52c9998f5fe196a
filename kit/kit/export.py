"""All that tables hold of one customer, row by row as JSON: what an export of a person is made of.

A service names its tables; names are its own code's, never a caller's. Rows are read in pages, each by a
short statement of its own, so that an export of years holds no snapshot and no connection.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from kit.db import Pool

PAGE = 200
BATCH_BYTES = 500_000  # of JSON in one answer of a stream; gRPC's clients take 4 MB


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of customers: `order` makes a row unique among a customer's; () where it is one.

    `hidden`: columns that are mechanism (fingerprints); `opened`: serialized messages, shown as JSON.
    `whose`: which rows are the customer's, $2, of the merchant's, $1.
    """

    name: str
    order: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    opened: Mapping[str, type[Message]] = field(default_factory=dict)
    whose: str = "t.customer_id = $2"

    def sql(self, *, first: bool) -> str:
        """The page behind a row, or the first one; $1 merchant, $2 customer, then the row's place."""
        hidden = ", ".join(f"'{name}'" for name in (*self.hidden, *self.opened))
        shown = f"(to_jsonb(t) - ARRAY[{hidden}]::text[])::text AS shown"
        columns = ", ".join([shown, *(f"t.{name}" for name in {**dict.fromkeys(self.order), **self.opened})])
        text = f"SELECT {columns} FROM {self.name} AS t WHERE t.merchant_id = $1 AND {self.whose}"
        if self.order:
            place = ", ".join(f"t.{name}" for name in self.order)
            if not first:
                text += f" AND ({place}) > ({', '.join(f'${n + 3}' for n in range(len(self.order)))})"
            text += f" ORDER BY {place}"
        return f"{text} LIMIT {PAGE}"


async def rows(pool: Pool, table: Table, merchant_id: str, customer_id: str) -> AsyncIterator[dict[str, Any]]:
    """Yield a customer's rows of a table, in order."""
    place: list[Any] = []
    while True:
        async with pool.acquire(timeout=5) as conn:
            page = await conn.fetch(table.sql(first=not place), merchant_id, customer_id, *place)
        for row in page:
            shown: dict[str, Any] = json.loads(row["shown"])
            for name, message in table.opened.items():
                shown[name] = as_dict(message.FromString(row[name])) if row[name] else None
            yield shown
        if len(page) < PAGE or not table.order:
            return
        place = [page[-1][name] for name in table.order]


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as JSON has it, under its proto's names."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


async def batches(
    pool: Pool, tables: Sequence[Table], merchant_id: str, customer_id: str
) -> AsyncIterator[list[tuple[str, str]]]:
    """Yield (table, JSON of a row) in batches that fit into an answer of a stream, none of them empty."""
    batch: list[tuple[str, str]] = []
    size = 0
    for table in tables:
        async for row in rows(pool, table, merchant_id, customer_id):
            text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            if batch and (len(batch) == PAGE or size + len(text) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((table.name, text))
            size += len(text)
    if batch:
        yield batch
