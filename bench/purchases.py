"""Writes finished sales into Kafka, as the customers service's relay does, in a process of its own.

    python -m bench.purchases BOOTSTRAP PREFIX MERCHANT

Command: {"customers": […], "holds": […]} writes a sale for each pair, as fast as the broker takes them; with
"rate" so many a second, each of them with the instant at which it was to be written as its business time.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from bench.child import Answer, answer_lines
from kit.broker import Broker
from kit.events.sender import Sender
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import line_pb2, tender_pb2

AMOUNT = 30_000  # rupiah
_PAGE = 2_000
_TICK_S = 0.01  # a relay rests longer


class Till:
    """Sales of one merchant, with three lines and one on-account tender."""

    def __init__(self, sender: Sender, merchant: str) -> None:
        self._sender, self._merchant = sender, merchant

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Write them all and say how long that took."""
        sales = list(zip(command["customers"], command["holds"], strict=True))
        begun = time.perf_counter()
        if rate := command.get("rate"):
            await self._paced(sales, rate)
        else:
            for start in range(0, len(sales), _PAGE):
                await self._send(sales[start : start + _PAGE], [time.time()] * _PAGE)
        return {"events": len(sales), "seconds": round(time.perf_counter() - begun, 2)}

    async def _paced(self, sales: Sequence[tuple[str, str]], rate: float) -> None:
        begun, number = time.time(), 0
        while number < len(sales):
            due = min(len(sales), int((time.time() - begun) * rate) + 1)
            await self._send(sales[number:due], [begun + n / rate for n in range(number, due)])
            number = due
            await asyncio.sleep(_TICK_S)

    async def _send(self, sales: Sequence[tuple[str, str]], at: Sequence[float]) -> None:
        rows = [self._row(*sale, when) for sale, when in zip(sales, at, strict=False)]
        _, failure = await self._sender.send(rows)
        if failure is not None:
            raise failure

    def _row(self, customer: str, hold: str, at: float) -> dict[str, Any]:
        when = datetime.fromtimestamp(at, UTC)
        return {
            "id": 0,
            "topic": "customers",
            "event_id": uuid.uuid4(),
            "type": "purchase-completed",
            "merchant_id": self._merchant,
            "key": customer,
            "time": when,
            "traceparent": "",
            "payload": _sale(self._merchant, customer, hold, when).SerializeToString(),
        }


def _sale(merchant: str, customer: str, hold: str, when: datetime) -> purchases_pb2.PurchaseCompleted:
    at, third = Timestamp(), Money(currency_code="IDR", units=AMOUNT // 3)
    at.FromDatetime(when)
    return purchases_pb2.PurchaseCompleted(
        merchant_id=merchant,
        purchase_id=str(uuid.uuid4()),
        customer_id=customer,
        store_id="toko-1",
        register_id="kasir-1",
        time_zone="Asia/Jakarta",
        currency_code="IDR",
        receipt_number="000123",
        occurred_at=at,
        received_at=at,
        effective_at=at,
        lines=[
            line_pb2.Line(
                line_id=f"{number}",
                product_id=f"SKU-{number}",
                name="Beras Pandan Wangi 5 kg",
                categories=["sembako", "beras"],
                kind=line_pb2.LINE_KIND_GOODS,
                net=third,
            )
            for number in range(3)
        ],
        tenders=[
            tender_pb2.Tender(
                tender_id="t1",
                amount=Money(currency_code="IDR", units=AMOUNT),
                on_account=tender_pb2.OnAccount(hold_id=hold),
            )
        ],
        total=Money(currency_code="IDR", units=AMOUNT),
        revision=1,
    )


async def _prepare() -> Answer:
    bootstrap, prefix, merchant = sys.argv[1:]
    sender = Sender(Broker(bootstrap), prefix)
    await sender.start()
    return Till(sender, merchant).answer


if __name__ == "__main__":
    answer_lines(_prepare)
