"""What a till does while a customer stands before it; every write is sent until it is answered."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.credit.v1 import holds_pb2, payments_pb2
from langganan.customers.v1 import purchases_pb2
from langganan.loyalty.v1 import redemptions_pb2
from langganan.types.v1 import line_pb2, tender_pb2
from local.demo import messages
from local.demo.baskets import GOODS, Basket, Baskets
from local.demo.gateway import Gateway
from local.demo.journal import (
    ON_ACCOUNT,
    POINTS,
    VOUCHER,
    Charged,
    CreditAsked,
    Journal,
    Paid,
    PointsAsked,
    ReturnDone,
    SaleDone,
    Tendered,
)
from local.demo.messages import Ids, money, origin
from local.demo.people import Person
from local.demo.probe import Probe
from local.demo.progress import Progress
from local.demo.script import Charge, Pay, Return, Sale
from local.demo.setup import POINT_WORTH, RUPIAH_A_POINT

OFFICE = 0  # where payments are taken: no store of the baskets has this number


class Till:
    """Serves customers; notes what it did in the journal."""

    def __init__(
        self,
        gateway: Gateway,
        ids: Ids,
        baskets: Baskets,
        journal: Journal,
        progress: Progress,
        probe: Probe,
    ) -> None:
        self._gateway = gateway
        self._ids = ids
        self._baskets = baskets
        self._journal = journal
        self._progress = progress
        self._probe = probe

    async def sell(self, sale: Sale, person: Person, customer_id: str) -> None:
        """Ring up a basket: recognise, quote and reserve, authorise, record."""
        basket = self._baskets[sale.basket]
        lines = [messages.line(line) for line in basket.lines]
        if sale.anonymous:
            customer_id = ""
        else:
            await self._identify(sale, basket, person, customer_id)
        tenders: list[Tendered] = []
        left = basket.total
        if basket.voucher:
            tenders.append(Tendered("voucher", VOUCHER, basket.voucher))
            left -= basket.voucher
        if left and sale.redeem:
            left -= await self._redeem(sale, basket, lines, customer_id, left, tenders)
        if left and sale.on_account:
            left -= await self._authorise(sale, basket, customer_id, left, tenders)
        if left:
            tenders.append(Tendered("rest", sale.means, left))
        purchase_id = self._ids("purchase", basket.basket_id)
        request = messages.purchase(purchase_id, customer_id, basket, lines, sale, tuple(tenders))
        await self._gateway.deliver(
            "RecordPurchase", self._gateway.purchases.RecordPurchase, request, sale.delivery
        )
        done = SaleDone(sale.basket, purchase_id, customer_id, sale.at, tuple(tenders))
        self._progress.baskets += 1
        if customer_id:
            self._journal.note(customer_id, done)
            if basket.lines[0].product.kind == GOODS and basket.lines[0].net > RUPIAH_A_POINT and left:
                self._probe.sold(customer_id, purchase_id)
        else:
            self._progress.anonymous += 1
            self._journal.anonymous.append(done)

    async def _identify(self, sale: Sale, basket: Basket, person: Person, customer_id: str) -> None:
        request = messages.identify(person, customer_id, sale, basket)
        found = await self._gateway.call("Identify", self._gateway.profiles.Identify, request)
        if [match.customer_id for match in found.matches] != [customer_id]:
            self._journal.surprises.append(
                f"Identify by {sale.recognised_by} gave {len(found.matches)} matches, not {customer_id}"
            )

    async def _redeem(
        self,
        sale: Sale,
        basket: Basket,
        lines: Sequence[line_pb2.Line],
        customer_id: str,
        left: int,
        tenders: list[Tendered],
    ) -> int:
        """Reserve a share of the usable points; return what they pay, rupiah."""
        source = origin(basket.store, basket.index)
        quote = await self._gateway.call(
            "Quote",
            self._gateway.redemptions.Quote,
            redemptions_pb2.QuoteRequest(customer_id=customer_id, lines=lines, origin=source),
        )
        points = min(quote.usable_points, left // POINT_WORTH) * sale.redeem // 100
        if not points:
            return 0
        reservation_id = self._ids("reservation", basket.basket_id)
        answer = await self._gateway.deliver(
            "Reserve",
            self._gateway.redemptions.Reserve,
            redemptions_pb2.ReserveRequest(
                reservation_id=reservation_id, customer_id=customer_id, points=points, origin=source
            ),
            sale.delivery,
        )
        reservation = answer.reservation
        approved = reservation.state == redemptions_pb2.RESERVATION_STATE_HELD
        regret = approved and sale.regret_points
        worth: int = reservation.value.units
        self._progress.reservations += 1
        self._journal.note(
            customer_id,
            PointsAsked(reservation_id, customer_id, quote.active_points, points, worth, approved, regret),
        )
        if regret:
            await self._gateway.call(
                "Release",
                self._gateway.redemptions.Release,
                redemptions_pb2.ReleaseRequest(
                    reservation_id=reservation_id, customer_id=customer_id, origin=source
                ),
            )
        if not approved or regret or sale.forget_points:
            return 0
        tenders.append(Tendered("points", POINTS, worth, points, reservation_id))
        return worth

    async def _authorise(
        self, sale: Sale, basket: Basket, customer_id: str, left: int, tenders: list[Tendered]
    ) -> int:
        """Ask credit for a share of what is left; return what goes on account, rupiah."""
        amount = left * sale.on_account // 100
        hold_id = self._ids("hold", basket.basket_id)
        source = origin(basket.store, basket.index)
        request = holds_pb2.AuthorizeRequest(
            hold_id=hold_id, customer_id=customer_id, amount=money(amount), origin=source
        )
        approved, regret = await self._hold(request, amount, sale.delivery, regret=sale.regret_credit)
        if regret:
            await self._gateway.call(
                "Void",
                self._gateway.holds.Void,
                holds_pb2.VoidRequest(hold_id=hold_id, customer_id=customer_id, origin=source),
            )
        if not approved or regret or sale.forget_credit:
            return 0
        tenders.append(Tendered("account", ON_ACCOUNT, amount, 0, hold_id))
        self._progress.outstanding += amount
        return amount

    async def _hold(
        self, request: holds_pb2.AuthorizeRequest, amount: int, delivery: str, *, regret: bool
    ) -> tuple[bool, bool]:
        """Ask for a hold, and note the answer: whether it was approved, and is to be voided."""
        answer = await self._gateway.deliver("Authorize", self._gateway.holds.Authorize, request, delivery)
        approved = answer.hold.state == holds_pb2.HOLD_STATE_PENDING
        regret = approved and regret
        reason = holds_pb2.DeclineReason.Name(answer.hold.decline.reason).removeprefix("DECLINE_REASON_")
        self._progress.holds += 1
        self._progress.declined += not approved
        self._progress.declined_overdue += reason == "OVERDUE"
        asked = CreditAsked(
            request.hold_id, request.customer_id, amount, approved, regret, "" if approved else reason
        )
        self._journal.note(request.customer_id, asked)
        return approved, regret

    async def charge(self, charge: Charge, household: int, customer_id: str) -> None:
        """Hold, then capture a part of it."""
        hold_id = self._ids("charge", household, charge.at)
        source = origin(OFFICE, household)
        request = holds_pb2.AuthorizeRequest(
            hold_id=hold_id, customer_id=customer_id, amount=money(charge.most), origin=source
        )
        approved, _ = await self._hold(request, charge.most, charge.delivery, regret=False)
        if not approved:
            return
        await self._gateway.deliver(
            "Capture",
            self._gateway.holds.Capture,
            holds_pb2.CaptureRequest(
                hold_id=hold_id, customer_id=customer_id, amount=money(charge.amount), origin=source
            ),
            charge.delivery,
        )
        self._progress.outstanding += charge.amount
        self._journal.note(customer_id, Charged(hold_id, customer_id, charge.at, charge.amount))

    async def give_back(self, back: Return, customer_id: str) -> None:
        """Quote a return, then record it; both must split it alike."""
        basket = self._baskets[back.basket]
        purchase_id = self._ids("purchase", basket.basket_id)
        return_id = self._ids("return", basket.basket_id, back.number)
        quoted = await self._gateway.call(
            "QuoteReturn",
            self._gateway.purchases.QuoteReturn,
            purchases_pb2.QuoteReturnRequest(
                purchase_id=purchase_id,
                customer_id=customer_id,
                reason=messages.reason(back),
                lines=messages.items(back),
            ),
        )
        made = await self._gateway.deliver(
            "RecordReturn",
            self._gateway.purchases.RecordReturn,
            purchases_pb2.RecordReturnRequest(
                return_id=return_id,
                purchase_id=purchase_id,
                customer_id=customer_id,
                origin=origin(basket.store, basket.index),
                occurred_at=Timestamp(seconds=back.at),
                reason=messages.reason(back),
                lines=messages.items(back),
            ),
            back.delivery,
        )
        if list(quoted.quote.refunds) != list(made.purchase_return.refunds):
            self._journal.surprises.append(f"return {return_id} was not made as it was quoted")
        self._progress.returns += 1
        self._progress.outstanding -= sum(
            refund.amount.units
            for refund in made.purchase_return.refunds
            if refund.kind == tender_pb2.TENDER_KIND_ON_ACCOUNT
        )
        parts = tuple((part.line_id, part.thousandths, part.amount) for part in back.parts)
        self._journal.note(
            customer_id,
            ReturnDone(back.basket, return_id, purchase_id, customer_id, back.at, back.reason, parts),
        )

    async def take_payment(self, pay: Pay, household: int, customer_id: str) -> None:
        """Ask what is owed and take a share of it."""
        account = await self._gateway.call(
            "GetAccount",
            self._gateway.credit.GetAccount,
            credit_pb2.GetAccountRequest(customer_id=customer_id),
        )
        owed: int = account.account.posted.units
        amount = owed * pay.percent // 100
        if not amount:
            return
        payment_id = self._ids("payment", household, pay.at)
        await self._gateway.deliver(
            "RecordPayment",
            self._gateway.payments.RecordPayment,
            payments_pb2.RecordPaymentRequest(
                payment_id=payment_id,
                customer_id=customer_id,
                amount=money(amount),
                method=payments_pb2.PaymentMethod.Value(f"PAYMENT_METHOD_{pay.means}"),
                occurred_at=Timestamp(seconds=pay.at),
                origin=origin(OFFICE, household),
            ),
            pay.delivery,
        )
        self._progress.payments += 1
        self._progress.outstanding -= amount
        self._journal.note(customer_id, Paid(payment_id, customer_id, pay.at, amount, owed))
