"""What one transaction takes from allowances, gathered in order and then written at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from credit import metrics
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.allowances import store
from credit.allowances.model import Allowance, AllowanceKey, Sold, Use, take
from kit import db
from kit.counts import count


@dataclass(slots=True)
class Taking:
    """The locked allowances that a transaction works on, each seen after what came before.

    `taken`: what a customer has taken of each; `opened`: the accounts that staff have opened.
    """

    allowances: dict[AllowanceKey, Allowance] = field(default_factory=dict)
    taken: dict[tuple[AllowanceKey, str], int] = field(default_factory=dict)
    opened: set[Key] = field(default_factory=set)
    uses: list[Use] = field(default_factory=list)

    def take(self, key: AllowanceKey, sold: Sold) -> Use | None:
        """Take what is sold; None: there is no such allowance, or it is of another currency."""
        allowance = self.allowances.get(key)
        if allowance is None or allowance.currency != sold.currency:
            return None
        of_customer = (key, sold.key.customer_id)
        before = self.taken.get(of_customer, 0)
        use, self.allowances[key] = take(allowance, sold, before)
        self.taken[of_customer] = before + use.taken
        self.uses.append(use)
        return use

    async def write(self, conn: db.Conn) -> None:
        """Write what was taken."""
        if self.uses:
            await store.use(conn, self.uses)
            for use in self.uses:
                count(metrics.ALLOWANCE_USES.labels(use.kind, use.mark or "COVERED"))


async def begin(
    conn: db.Conn, asked: Iterable[tuple[AllowanceKey, Account]], *, locked: bool = False
) -> Taking:
    """Return what there is to take from, for customers whose accounts are locked; locks the allowances.

    `locked`: this transaction has locked them before.
    """
    wanted = list(asked)
    if not wanted:
        return Taking()
    if not locked:
        await store.lock(conn, {key for key, _ in wanted})
    return Taking(
        await store.read(conn, {key for key, _ in wanted}),
        await store.taken(conn, [(key, account.customer_id) for key, account in wanted]),
        await accounts.opened_by_staff(conn, [account for _, account in wanted]),
    )
