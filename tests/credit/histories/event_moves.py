"""What is heard of customers and sales, and the passing of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kit.events import Outgoing
from langganan.events.v1 import customers_pb2
from tests.credit.conftest import instant
from tests.credit.histories.move import Move
from tests.credit.histories.steps import Thing
from tests.credit.reference import sales, tills

if TYPE_CHECKING:
    from tests.credit.histories.play import Play


def sale(
    play: Play, who: int, buyer: int | None, nobody: bool, purchase: Thing,
    tenders: Sequence[tuple[int, Any]], ago: int,
) -> Move:  # fmt: skip
    """A sale on the account of `who`, to themselves or another; said again it is the same one."""
    if ("sale", purchase) not in play.known:
        holds = [(amount, None if hold is None else play.id("hold", *hold)) for amount, hold in tenders]
        play.known["sale", purchase] = _sale(play, who, buyer, nobody, purchase, holds, ago)
    event = _fresh(play.known["sale", purchase])
    sold: Any = event.payload
    told = sales.Sale(
        key=event.key,
        purchase_id=sold.purchase_id,
        payer=sold.tenders[0].on_account.account_customer_id or sold.customer_id,
        zone=sold.time_zone,
        at=event.time,
        tenders=tuple((t.tender_id, t.amount.units, t.on_account.hold_id) for t in sold.tenders),
    )
    return Move(lambda books: sales.hear(books, told), event=event)


def _sale(
    play: Play, who: int, buyer: int | None, nobody: bool, purchase: Thing,
    tenders: Sequence[tuple[int, str | None]], ago: int,
) -> Outgoing:  # fmt: skip
    at, purchase_id = play.now - timedelta(minutes=ago), play.id("purchase", *purchase)
    if nobody:
        made = play.credit.sale("", *tenders, purchase_id=purchase_id, at=at)
        return dataclasses.replace(made, key=purchase_id)
    payer = "" if buyer is None else play.customers[who]
    bought = play.customers[who if buyer is None else buyer]
    return play.credit.sale(bought, *tenders, purchase_id=purchase_id, at=at, payer=payer)


def take_back(
    play: Play, who: int, purchase: Thing, back: Thing, amount: int, tender: str, early: bool
) -> Move | None:
    """A return; `early`: also of a sale that was not heard of, which holds up its customer."""
    if ("return", back) not in play.known:
        sold = play.known.get(("sale", purchase))
        if sold is None and not early:
            return None
        sold = sold or _sale(play, who, None, False, purchase, [(1, None), (1, None)], 0)
        payload: Any = sold.payload
        tender = tender if any(t.tender_id == tender for t in payload.tenders) else "t1"
        play.known["return", back] = play.credit.returned(
            sold, amount, tender=tender, return_id=play.id("return", *back), at=play.now
        )
    event = _fresh(play.known["return", back])
    said: Any = event.payload
    (refund,) = said.refunds
    if not said.customer_id:
        return Move(lambda books: None, event=event)  # nobody owes anything less
    told = sales.Return(
        event.key, said.return_id, said.purchase_id, refund.tender_id, refund.amount, event.time
    )
    return Move(lambda books: sales.hear(books, told), event=event)


def register(play: Play, who: int, wished: int) -> Move:
    customer = play.customers[who]
    payload = customers_pb2.CustomerRegistered(
        merchant_id=play.credit.merchant, customer_id=customer, credit_limit_wished=wished
    )
    return Move(
        lambda books: sales.hear(books, sales.Registered(customer, wished)),
        event=Outgoing("customer-registered", play.credit.merchant, customer, payload, play.now),
    )


def erase(play: Play, who: int) -> Move:
    customer, at = play.customers[who], play.now
    payload = customers_pb2.CustomerErased(
        merchant_id=play.credit.merchant, customer_id=customer, erased_at=instant(at)
    )
    return Move(
        lambda books: sales.hear(books, sales.Erased(customer, at)),
        event=Outgoing("customer-erased", play.credit.merchant, customer, payload, at),
    )


def merge(play: Play, who: int) -> Move:
    """A customer turns out to be the one before."""
    absorbed, survivor, at = play.customers[who], play.customers[who - 1], play.now
    payload = customers_pb2.CustomerMerged(
        merchant_id=play.credit.merchant,
        absorbed_customer_id=absorbed,
        surviving_customer_id=survivor,
        merged_at=instant(at),
    )
    return Move(
        lambda books: sales.hear(books, sales.Merged(absorbed, survivor, at)),
        event=Outgoing("customer-merged", play.credit.merchant, absorbed, payload, at),
    )


def _fresh(event: Outgoing) -> Outgoing:
    return Outgoing(event.type, event.merchant_id, event.key, event.payload, event.time)


def replay(play: Play) -> Move:
    """What waits is tried again."""

    async def again() -> None:
        consumer = play.credit.run.service.consumer
        assert consumer is not None, "credit hears events"
        for customer in play.customers:
            await consumer.replay(play.credit.merchant, customer)

    return Move(sales.replay, again)


def wait(play: Play, minutes: int, heard_ago: int | None) -> Move:
    """Time passes, customers tells how far it has come, and what nobody used in time expires."""
    now = play.now + timedelta(minutes=minutes)
    told = None if heard_ago is None else now - timedelta(minutes=heard_ago)

    async def pass_by() -> None:
        play.clock.advance(timedelta(minutes=minutes))
        if told is not None:
            await play.credit.run.tell(told)
        while await play.credit.run.sweep("expire-holds"):
            pass

    def expect(books: Any) -> None:
        books.now = now
        books.heard = max(books.heard, told or books.heard)
        tills.expire(books)

    return Move(expect, pass_by)
