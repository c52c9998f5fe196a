"""B: the rows of Authorize written by a bare asyncpg loop, what the database costs when nobody asks why.

    python -m bench.rows URL MERCHANT

Each turn writes holds of as many different accounts, and what the accounts have held, with one statement,
which is its own transaction, and waits for its commit. Command: {"customers", "seconds", "warm", "batch"}.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench.child import Answer, answer_lines
from bench.load import AMOUNT, ORIGIN

# What holds/queries.sql writes for approved holds, without its answers: no id is taken, nothing declines.
_WRITE = """
WITH v AS (
    SELECT *
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
        AS u (merchant_id, hold_id, customer_id, amount, available, fingerprint)
),

new AS (
    INSERT INTO holds (
        merchant_id, hold_id, customer_id, state, amount, available, fingerprint, store_id, register_id,
        staff_ref, recognised_by, origin, decided_at, expires_at
    )
    SELECT
        merchant_id, hold_id, customer_id, 'PENDING', amount, available, fingerprint, $7, $8, $9, 1, $10,
        $11, $12
    FROM v
)

UPDATE accounts AS a
SET held = a.held + v.amount
FROM v
WHERE a.merchant_id = v.merchant_id AND a.customer_id = v.customer_id
"""


class Rows:
    """One connection, one statement at a time."""

    def __init__(self, conn: asyncpg.Connection[asyncpg.Record], merchant: str) -> None:
        self._conn, self._merchant = conn, merchant

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Write for so long and say how many rows a second that was."""
        write = await self._conn.prepare(_WRITE)
        for seconds in (command.get("warm", 0.0), command["seconds"]):
            rows, begun = 0, time.perf_counter()
            while time.perf_counter() < begun + seconds:
                await write.fetch(*self._arguments(command["customers"], command["batch"]))
                rows += command["batch"]
            took = time.perf_counter() - begun
        return {"rows": rows, "per_s": round(rows / took, 1)}

    def _arguments(self, customers: Sequence[str], batch: int) -> list[Any]:
        now = datetime.now(UTC)
        return [
            [self._merchant] * batch,
            [uuid.uuid4() for _ in range(batch)],
            random.sample(customers, batch),
            [AMOUNT] * batch,
            [10**14] * batch,
            [random.randbytes(32) for _ in range(batch)],
            ORIGIN.store_id,
            ORIGIN.register_id,
            ORIGIN.staff_ref,
            ORIGIN.SerializeToString(),
            now,
            now + timedelta(minutes=15),
        ]


async def _prepare() -> Answer:
    url, merchant = sys.argv[1:]
    return Rows(await asyncpg.connect(url), merchant).answer


if __name__ == "__main__":
    answer_lines(_prepare)
