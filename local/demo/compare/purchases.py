"""Compares what customers holds of the purchases: totals, what is left of them, how returns were split."""

from __future__ import annotations

from local.demo import ask
from local.demo.compare.found import Found
from local.demo.gateway import Gateway
from local.demo.oracle.books import Books, Purchase


async def compare_purchases(gateway: Gateway, found: Found, books: Books, every: int) -> None:
    """Compare the purchases of a customer, those with returns and one in `every` line by line."""
    listed = await ask.purchases(gateway, books.customer_id)
    must = {
        purchase_id: (purchase.total, purchase.left.total, purchase.sale.at, len(purchase.left.splits) + 1)
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
    found.check_each(books.customer_id, "purchase", must, have)
    found.purchases += len(have)
    for number, purchase in enumerate(books.purchases.values()):
        if purchase.left.splits or number % every == 0:
            await compare_lines(gateway, found, books.customer_id, purchase)


async def compare_lines(gateway: Gateway, found: Found, customer: str, must: Purchase) -> None:
    """Compare what is left of each line and tender, and how each return was split."""
    is_ = await ask.purchase(gateway, customer, must.sale.purchase_id)
    name = f"purchase {must.sale.purchase_id}"
    found.check(
        customer,
        f"what is left of the lines of {name}",
        {line_id: (left.thousandths, left.amount) for line_id, left in must.left.lines.items()},
        {line.line.line_id: (line.quantity_left.thousandths, line.net_left.units) for line in is_.lines},
    )
    found.check(
        customer,
        f"what is left of the tenders of {name}",
        must.left.tenders,
        {tender.tender.tender_id: tender.amount_left.units for tender in is_.tenders},
    )
    found.check(
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
    found.returns += len(is_.returns)
