"""The audit passes payments that cleared, bounced and were paid out, and names what was tampered with."""

from __future__ import annotations

import pytest

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from tests.credit.paying import confirming, giro, owing, paying_out, reverse


async def histories(credit):
    """A cleared giro of 20,000 and one that waits; 90,000 that bounced after 30,000 of it were paid out."""
    customer, (invoice,) = await owing(credit, 40_000)
    cleared, waiting = await giro(credit, customer, 20_000), await giro(credit, customer, 5_000)
    await credit.payments.ConfirmPayment(confirming(cleared))
    bounced = await credit.pay(customer, 90_000, allow=True)
    payout = paying_out(customer, 30_000)
    await credit.payments.PayOut(payout)
    await credit.deliver(credit.sale(customer, (25_000, None)))
    await reverse(credit, bounced)
    entries = await credit.run.pool.fetch("SELECT * FROM entries WHERE cause_type = 'REVERSAL'")
    return {
        "invoice": invoice,
        "cleared": cleared.payment_id,
        "waiting": waiting.payment_id,
        "bounced": bounced.payment_id,
        "payout": payout.payout_id,
        **{e["effect"]: e["entry_id"] for e in entries},
    }


async def test_payments_of_every_kind_pass(alone):
    credit = await alone()
    names = await histories(credit)
    assert {"UNPAID", "CREDIT_UNUSED", "CREDIT_TAKEN", "CHARGED"} <= names.keys()
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE payments SET state = 'RECEIVED', reversed_at = NULL, reversal_reason = '' "
            "WHERE payment_id = '{bounced}'",
            [
                *(
                    f"causes: cause of entry {{{effect}}}, {effect} by REVERSAL {{bounced}}: "
                    "reversed payment and invoice, not none"
                    for effect in ("CHARGED", "CREDIT_TAKEN", "CREDIT_UNUSED", "UNPAID")
                ),
                "payments: reversal of payment {bounced}: 90000, not 0",
            ],
        ),
        (
            "UPDATE payments SET state = 'RECEIVED' WHERE payment_id = '{waiting}'",
            ["payments: amount of payment {waiting}: 0, not 5000"],
        ),
        (
            "UPDATE payments SET state = 'PENDING', cleared_at = NULL WHERE payment_id = '{cleared}'",
            ["payments: amount of payment {cleared}: 20000, not 0"],
        ),
        (
            "UPDATE payouts SET amount = 30001 WHERE payout_id = '{payout}'",
            ["payments: amount of payout {payout}: 30000, not 30001"],
        ),
        (
            "UPDATE entries SET posted = posted - 1 WHERE entry_id = '{UNPAID}'",
            [
                "balances: posted, by the entries: 74999, not 75000",
                "invoices: paid of invoice {invoice}: 20001, not 20000",
                "payments: reversal of payment {bounced}: 89999, not 90000",
            ],
        ),
    ],
)
async def test_what_was_tampered_with_in_the_payments_is_found_and_named(alone, sql, expected):
    credit = await alone()
    names = await histories(credit)
    assert await credit.run.pool.execute(sql.format(**names)) == "UPDATE 1"
    outcome = await run_audit(credit.run.pool, AUDIT)
    said = [f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in outcome.first]
    assert sorted(said) == sorted(line.format(**names) for line in expected)


async def test_a_payout_without_its_row_is_found(alone):
    credit = await alone()
    await histories(credit)
    await credit.run.pool.execute("DELETE FROM payouts")
    (found,) = (await run_audit(credit.run.pool, AUDIT)).first
    assert (found.check, found.must, found.found) == ("causes", "payout", "none")
