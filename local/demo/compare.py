"""Asks the services what they hold of every customer, and lists where it is not what the oracle says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from langganan.credit.v1 import invoices_pb2
from langganan.customers.v1 import purchases_pb2
from langganan.loyalty.v1 import redemptions_pb2
from local.demo import ask
from local.demo.gateway import Gateway
from local.demo.journal import Journal
from local.demo.oracle.fold import Books, Oracle, Purchase

AT_ONCE = 16
# Above so many baskets only returned purchases and one in ten of the others are read line by line.
READ_ALL = 5_000


@dataclass
class Found:
    """What the services hold, summed, and where it is not what it must be."""

    differences: list[str] = field(default_factory=list)
    purchases: int = 0
    points_earned: int = 0
    points_redeemed: int = 0
    points_active: int = 0
    invoices: int = 0
    outstanding: int = 0
    payments: int = 0
    confirmations: int = 0
    skipped: int = 0
    returns: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    mails: dict[str, int] = field(default_factory=dict)

    def check(self, customer: str, what: str, must: object, is_: object) -> None:
        """Note a difference unless both are the same."""
        if must != is_:
            self.differences.append(f"{customer or 'anonymous'}: {what} must be {must!r} and is {is_!r}")


class Comparison:
    """Compares one run."""

    def __init__(self, gateway: Gateway, oracle: Oracle, journal: Journal, baskets: int) -> None:
        self._gateway = gateway
        self._oracle = oracle
        self._journal = journal
        self._every = 1 if baskets <= READ_ALL else 10
        self.found = Found(differences=[*journal.surprises, *gateway.different])

    async def run(self, homes: Mapping[int, str]) -> Found:
        """Compare every customer (household → zone of the home store) and every anonymous sale."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def customer(household: int, customer_id: str) -> None:
            async with gate:
                books = self._oracle.books(household, customer_id, homes[household], self._journal)
                await self._compare(books)

        async def anonymous(purchase: Purchase) -> None:
            async with gate:
                await self._compare_lines("", purchase)

        await asyncio.gather(*(customer(*pair) for pair in self._journal.customers.items()))
        sales = self._journal.anonymous[:: self._every]
        await asyncio.gather(*(anonymous(self._oracle.purchase(sale)) for sale in sales))
        self.found.purchases += len(self._journal.anonymous)
        await self._compare_exceptions()
        return self.found

    async def _compare(self, books: Books) -> None:
        for complaint in books.complaints:
            self.found.differences.append(f"{books.customer_id}: {complaint}")
        await self._compare_purchases(books)
        await self._compare_points(books)
        await self._compare_credit(books)
        await self._compare_messages(books)

    async def _compare_purchases(self, books: Books) -> None:
        listed = await ask.purchases(self._gateway, books.customer_id)
        must = {
            purchase_id: (
                purchase.total,
                purchase.left.total,
                purchase.sale.at,
                len(purchase.left.splits) + 1,
            )
            for purchase_id, purchase in books.purchases.items()
        }
        have = {
            purchase.purchase_id: (
                purchase.total.units,
                purchase.total_left.units,
                purchase.effective_at.seconds,
                purchase.revision,
            )
            for purchase in listed
        }
        for purchase_id in must.keys() | have.keys():
            self.found.check(
                books.customer_id, f"purchase {purchase_id}", must.get(purchase_id), have.get(purchase_id)
            )
        self.found.purchases += len(have)
        for number, purchase in enumerate(books.purchases.values()):
            if purchase.left.splits or number % self._every == 0:
                await self._compare_lines(books.customer_id, purchase)

    async def _compare_lines(self, customer: str, must: Purchase) -> None:
        """Compare what is left of each line and tender, and how each return was split."""
        is_ = await ask.purchase(self._gateway, customer, must.sale.purchase_id)
        name = f"purchase {must.sale.purchase_id}"
        self.found.check(
            customer,
            f"what is left of the lines of {name}",
            {line_id: (left.thousandths, left.amount) for line_id, left in must.left.lines.items()},
            {line.line.line_id: (line.quantity_left.thousandths, line.net_left.units) for line in is_.lines},
        )
        self.found.check(
            customer,
            f"what is left of the tenders of {name}",
            must.left.tenders,
            {tender.tender.tender_id: tender.amount_left.units for tender in is_.tenders},
        )
        self.found.check(
            customer,
            f"the returns of {name}",
            [
                (
                    split.return_id,
                    {line.line_id: line.amount for line in split.lines},
                    {refund.tender_id: refund.amount for refund in split.refunds},
                )
                for split in must.left.splits
            ],
            [
                (
                    back.return_id,
                    {line.line_id: line.amount.units for line in back.lines},
                    {refund.tender_id: refund.amount.units for refund in back.refunds},
                )
                for back in is_.returns
            ],
        )
        self.found.returns += len(is_.returns)

    async def _compare_points(self, books: Books) -> None:
        customer = books.customer_id
        account = await ask.points_account(self._gateway, customer)
        entries = await ask.entries(self._gateway, customer)
        must = Counter((e.effect, e.cause_id, e.about, e.points) for e in books.points.entries)
        is_ = Counter(entries)
        for entry in (must - is_).elements():
            self.found.differences.append(f"{customer}: the points entry {entry} is missing")
        for entry in (is_ - must).elements():
            self.found.differences.append(f"{customer}: the points entry {entry} should not be")
        balance = books.points.balance
        self.found.check(customer, "points", balance, account.balance)
        self.found.check(
            customer,
            "active, reserved and negative points",
            (max(0, balance), 0, max(0, -balance)),
            (account.active, account.reserved, account.negative),
        )
        tier = books.points.tiers[-1]
        self.found.check(customer, "tier", tier, account.standing.tier)
        self.found.check(customer, "category", tier, await ask.category(self._gateway, customer))
        self.found.tiers[account.standing.tier] += 1
        self.found.points_active += account.active
        self.found.points_earned += sum(points for effect, *_, points in entries if effect == "EARN")
        self.found.points_redeemed -= sum(points for effect, *_, points in entries if effect == "REDEEM")

    async def _compare_credit(self, books: Books) -> None:
        customer, credit = books.customer_id, books.credit
        if credit is None:
            return
        account = await ask.credit_account(self._gateway, customer)
        self.found.check(
            customer,
            "limit, owed, held and balance",
            (credit.limit, credit.owed, 0, credit.balance),
            (account.limit.units, account.posted.units, account.held.units, account.credit_balance.units),
        )
        invoices = await ask.invoices(self._gateway, customer)
        must = {
            (one.purchase_id, one.tender_id): (one.amount, one.outstanding, one.issued_on, one.due_on)
            for one in credit.invoices
        }
        for key in must.keys() | invoices.keys():
            have = invoices.get(key)
            self.found.check(customer, f"invoice of {key}", must.get(key), have.facts if have else None)
        payments = await ask.payments(self._gateway, customer)
        names = {invoice.invoice_id: key[0] for key, invoice in invoices.items()}
        have_paid = {
            payment.payment_id: {
                names.get(part.invoice_id, "?"): part.amount.units for part in payment.allocations
            }
            for payment in payments
        }
        self.found.check(customer, "payments", credit.payments, have_paid)
        self.found.invoices += len(invoices)
        self.found.payments += len(payments)
        self.found.outstanding += account.posted.units

    async def _compare_messages(self, books: Books) -> None:
        states = await ask.confirmations(self._gateway, books.customer_id)
        must = {
            purchase_id: ("SENT", "email") if sent else ("SKIPPED", "")
            for purchase_id, sent in books.confirmations.items()
        }
        for purchase_id in must.keys() | states.keys():
            self.found.check(
                books.customer_id,
                f"confirmation of {purchase_id}",
                must.get(purchase_id),
                states.get(purchase_id),
            )
        sent = sum(state == "SENT" for state, _ in states.values())
        self.found.confirmations += sent
        self.found.skipped += len(states) - sent
        if books.person.email:
            self.found.mails[books.person.email] = sum(books.confirmations.values())

    async def _compare_exceptions(self) -> None:
        """Nothing that the tills did was against a rule, so nothing may be listed for staff."""
        gateway = self._gateway
        listed = [
            *(
                await gateway.call(
                    "ListExceptions", gateway.purchases.ListExceptions, purchases_pb2.ListExceptionsRequest()
                )
            ).exceptions,
            *(
                await gateway.call(
                    "ListExceptions",
                    gateway.redemptions.ListExceptions,
                    redemptions_pb2.ListExceptionsRequest(),
                )
            ).exceptions,
            *(
                await gateway.call(
                    "ListExceptions", gateway.invoices.ListExceptions, invoices_pb2.ListExceptionsRequest()
                )
            ).exceptions,
        ]
        for one in listed:
            self.found.differences.append(f"listed for staff: {str(one).replace(chr(10), ' ')}")
