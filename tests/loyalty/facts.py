"""What customers says of a merchant's customers and sales, as the tests of loyalty have it said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import new_uuid
from langganan.events.v1 import customers_pb2, purchases_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2

NOON = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
GOODS = line_pb2.LINE_KIND_GOODS


def instant(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def rupiah(units: int) -> Money:
    return Money(currency_code="IDR", units=units)


def a_line(net: int, kind: int = GOODS, line_id: str = "", **fields: Any) -> line_pb2.Line:
    return line_pb2.Line(line_id=line_id, kind=kind, net=rupiah(net), product_id="p", **fields)


class Facts:
    """Events of one merchant."""

    def __init__(self, merchant: str) -> None:
        self.merchant = merchant

    def registered(self, customer: str, at: datetime = NOON) -> Outgoing:
        payload = customers_pb2.CustomerRegistered(
            merchant_id=self.merchant,
            customer_id=customer,
            kind="PERSON",
            currency_code="IDR",
            time_zone="Asia/Jakarta",
            registered_at=instant(at),
            revision=1,
        )
        return Outgoing("customer-registered", self.merchant, customer, payload, at)

    def sale(
        self,
        customer: str,
        lines: Sequence[int | line_pb2.Line],
        *,
        points: Sequence[tuple[int, str]] = (),
        vouchers: int = 0,
        at: datetime = NOON,
        zone: str = "Asia/Jakarta",
        purchase_id: str | None = None,
        offline: bool = False,
        currency: str = "IDR",
    ) -> Outgoing:
        """A finished sale; points tenders (amount, reservation) are named p1, p2, …, the rest is cash."""
        made = [a_line(line) if isinstance(line, int) else line for line in lines]
        for place, line in enumerate(made, start=1):
            line.line_id = line.line_id or str(place)
            line.net.currency_code = currency
        total = sum(line.net.units for line in made)
        tenders = [
            tender_pb2.Tender(
                tender_id=f"p{place}",
                amount=Money(currency_code=currency, units=amount),
                points=tender_pb2.Points(reservation_id=reservation),
            )
            for place, (amount, reservation) in enumerate(points, start=1)
        ]
        if vouchers:
            amount = Money(currency_code=currency, units=vouchers)
            tenders.append(tender_pb2.Tender(tender_id="v", amount=amount, voucher=tender_pb2.Voucher()))
        rest = total - sum(tender.amount.units for tender in tenders)
        if rest:
            amount = Money(currency_code=currency, units=rest)
            tenders.append(tender_pb2.Tender(tender_id="c", amount=amount, cash=tender_pb2.Cash()))
        payload = purchases_pb2.PurchaseCompleted(
            merchant_id=self.merchant,
            purchase_id=purchase_id or new_uuid(),
            customer_id=customer,
            store_id="s1",
            time_zone=zone,
            currency_code=currency,
            effective_at=instant(at),
            lines=made,
            tenders=tenders,
            total=Money(currency_code=currency, units=total),
            mode=origin_pb2.MODE_OFFLINE if offline else origin_pb2.MODE_ONLINE,
            revision=1,
        )
        key = customer or payload.purchase_id
        return Outgoing("purchase-completed", self.merchant, key, payload, at)

    def returned(
        self,
        sale: Outgoing,
        lines: Sequence[tuple[str, int, int]],
        *,
        points: Sequence[tuple[str, int, int]] = (),
        return_id: str | None = None,
        at: datetime = NOON + timedelta(days=1),
    ) -> Outgoing:
        """A return of (line, amount, left before) with refunds of points tenders (tender, amount, left)."""
        sold: Any = sale.payload
        kinds = {line.line_id: line.kind for line in sold.lines}
        payload = purchases_pb2.PurchaseReturned(
            merchant_id=self.merchant,
            return_id=return_id or new_uuid(),
            purchase_id=sold.purchase_id,
            customer_id=sold.customer_id,
            time_zone="Asia/Jakarta",
            currency_code="IDR",
            effective_at=instant(at),
            purchase_effective_at=sold.effective_at,
            lines=[
                purchases_pb2.ReturnedLine(
                    line_id=line_id,
                    amount=amount,
                    amount_left_before=left,
                    kind=kinds.get(line_id, GOODS),
                    exhausts=amount == left,
                )
                for line_id, amount, left in lines
            ],
            refunds=[
                purchases_pb2.TenderRefund(
                    tender_id=tender_id,
                    kind=tender_pb2.TENDER_KIND_POINTS,
                    amount=amount,
                    amount_left_before=left,
                )
                for tender_id, amount, left in points
            ],
            revision=2,
        )
        return Outgoing("purchase-returned", self.merchant, sale.key, payload, at)

    def merged(self, absorbed: str, survivor: str, at: datetime = NOON) -> Outgoing:
        payload = customers_pb2.CustomerMerged(
            merchant_id=self.merchant,
            absorbed_customer_id=absorbed,
            surviving_customer_id=survivor,
            merged_at=instant(at),
        )
        return Outgoing("customer-merged", self.merchant, absorbed, payload, at)
