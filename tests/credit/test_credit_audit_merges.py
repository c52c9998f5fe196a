"""The audit names whatever was tampered with in a merge."""

from __future__ import annotations

import pytest

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from tests.credit.merging import audit_passes, merge
from tests.credit.paying import owing


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE accounts SET merged_into = '' WHERE customer_id = '{a}'",
            "merges: merged {a}: {s}, not none",
        ),
        (
            "UPDATE accounts SET merged_into = 'X' WHERE customer_id = '{a}'",
            "merges: survivor of {a}: an account, not none",
        ),
        (
            "DELETE FROM account_changes WHERE kind = 'MERGED'",
            "merges: merge into {s}: a change of that account, not none",
        ),
        (
            "UPDATE accounts SET status = 'ACTIVE' WHERE customer_id = '{a}'",
            "merges: status of merged {a}: UNOPENED, not ACTIVE",
        ),
        (
            "UPDATE entries SET customer_id = '{a}' WHERE absorbed_from = '{a}'",
            "merges: books of merged {a}: none, not entries",
        ),
        (
            "UPDATE holds SET customer_id = '{a}' WHERE absorbed_from = '{a}'",
            "merges: books of merged {a}: none, not holds",
        ),
        (
            "UPDATE entries SET absorbed_from = 'X' WHERE absorbed_from = '{a}'",
            "merges: customer whose entries were X: {s}, not none",
        ),
        (
            "UPDATE accounts SET posted = 0 WHERE customer_id = '{s}'",
            "balances: posted, by the entries: 16000, not 0",
        ),
    ],
)  # fmt: skip
async def test_a_merge_that_was_tampered_with_is_found(alone, sql, expected):
    credit = await alone()
    absorbed, (_,) = await owing(credit, 12_000)
    survivor, (_,) = await owing(credit, 4_000)
    await credit.authorize(absorbed, 1_000)
    await merge(credit, absorbed, survivor)
    await audit_passes(credit)
    names = {"a": absorbed, "s": survivor}
    await credit.run.pool.execute(sql.format(**names))
    outcome = await run_audit(credit.run.pool, AUDIT)
    said = [f"{d.check}: {d.what}: {d.must}, not {d.found}" for d in outcome.first]
    assert expected.format(**names) in said
