"""HandIn: the holds that a till made while it had no line become holds that every till sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from google.type.money_pb2 import Money

from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.allowances import store
from credit.allowances.model import Allowance, AllowanceKey, Kind, Sold, Use, marks
from credit.allowances.taking import Taking, begin
from credit.errors import AllowanceNotFound, CurrencyMismatch
from credit.holds import store as holds
from credit.holds.model import Hold, HoldKey, State, Till
from credit.invoices.books import Books
from credit.invoices.model import Invoice, judge
from kit import db
from kit.errors import DomainError, IdempotencyConflict
from kit.fingerprint import fingerprint

KEPT_FOR = timedelta(hours=24)  # from the first HandIn on: the sale is on its way


@dataclass(frozen=True, slots=True)
class Offline:
    """A hold that a till made; `at` is when, as far as its clock is believed."""

    key: Key
    hold_id: str
    amount: Money
    at: datetime

    @property
    def hold_key(self) -> HoldKey:
        """What names the hold."""
        return HoldKey(self.key.merchant_id, self.hold_id)

    def content(self, allowance_id: str) -> bytes:
        """What makes two hand-ins the same; never the till's clock."""
        amount = self.amount
        return fingerprint(
            1,
            "allowance",
            allowance_id,
            self.key.customer_id,
            amount.currency_code,
            amount.units,
            amount.nanos,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one till hands in under one allowance, in the order in which it was made."""

    allowance: AllowanceKey
    holds: tuple[Offline, ...]
    till: Till
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A hold in its present state, what it took of the allowance, and its account after the whole batch."""

    hold: Hold
    use: Use | None
    account: Account


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of each hold, in order, and the allowance afterwards."""

    holds: tuple[Taken | DomainError, ...]
    allowance: Allowance


async def hand_in(conn: db.Conn, batches: Sequence[Batch], wait: bool) -> list[Answer]:
    """Take one batch in (a list of one): the accounts' locks first, then the allowance's."""
    (batch,) = batches
    keys = {each.key for each in batch.holds}
    await accounts.lock(conn, keys, wait=wait)
    known = await accounts.read(conn, keys)
    payers = {account.key: account for account in known.values()}  # survivors, of customers who were merged
    taking = await begin(conn, [(batch.allowance, account) for account in payers.values()])
    if batch.allowance not in taking.allowances:
        raise AllowanceNotFound(batch.allowance.allowance_id)
    found = await holds.read(conn, {each.hold_key for each in batch.holds})
    fold = _Fold(
        batch,
        {key: account.key for key, account in known.items()},
        Books(accounts=payers, holds=found),
        taking,
        await store.find_uses(conn, found),
    )
    for place in range(len(batch.holds)):
        fold.decide(place)
    written = await holds.add(conn, list(fold.new.values()))
    await holds.put_under(conn, batch.allowance.allowance_id, written)
    sold = await store.sold_under(conn, [(key, fold.new[key].customer_id) for key in written])
    for key, hold in fold.new.items():
        if key in written:
            fold.take(hold, sold.get(key))
    await fold.books.write(conn)
    await taking.write(conn)
    return [fold.answer()]


@dataclass(slots=True)
class _Fold:
    """A batch under way; each hold sees those before it. `payers`: of customers, their accounts."""

    batch: Batch
    payers: dict[Key, Key]
    books: Books
    taking: Taking
    uses: dict[HoldKey, Use]
    new: dict[HoldKey, Hold] = field(default_factory=dict)
    refused: dict[int, DomainError] = field(default_factory=dict)  # by place in the batch

    @property
    def allowance(self) -> Allowance:
        """The allowance, after what was taken of it."""
        return self.taking.allowances[self.batch.allowance]

    def decide(self, place: int) -> None:
        """Make a new hold of what is in a place, or note why not; one that is known stays as it is."""
        offline = self.batch.holds[place]
        key, content = offline.hold_key, offline.content(self.allowance.allowance_id)
        before = self.books.holds.get(key) or self.new.get(key)
        try:
            if before is None:
                self.new[key] = self._hold(offline, content)
            # Voided before it was handed in: nothing was asked yet that could differ.
            elif before.account_key != self.payers[offline.key] or before.fingerprint not in (None, content):
                raise IdempotencyConflict("hold", offline.hold_id)
        except DomainError as error:
            self.refused[place] = error

    def _hold(self, offline: Offline, content: bytes) -> Hold:
        currency = self.allowance.currency
        amount = encode.positive(offline.amount, currency)
        payer = self.payers[offline.key]
        if not self.books.accounts[payer].is_open:
            self.books.open_suspended(
                payer, currency.code, currency.digits, self.allowance.time_zone, offline.at
            )
        account = self.books.accounts[payer]
        if encode.currency(account) != currency:
            raise CurrencyMismatch(account.currency_code, account.minor_digits)
        return Hold(
            merchant_id=offline.key.merchant_id,
            hold_id=offline.hold_id,
            customer_id=account.customer_id,
            state=State.PENDING,
            amount=amount,
            decided_at=offline.at,
            expires_at=self.batch.at + KEPT_FOR,
            available=account.available_at(self.batch.at),
            fingerprint=content,
            till=self.batch.till,
            allowance_id=self.allowance.allowance_id,
            store_limited=account.store_limited,
        )

    def take(self, hold: Hold, sold: Invoice | None) -> None:
        """Let a new hold take from the allowance, and be captured by `sold`, its sale if that came before."""
        account = self.books.accounts[hold.account_key]
        self.books.accounts[account.key] = replace(account, held=account.held + hold.held)
        self.books.holds[hold.key] = hold
        use = self.taking.take(
            self.batch.allowance,
            Sold(
                key=hold.account_key,
                use_id=hold.hold_id,
                kind=Kind.HOLD,
                store_id=self.batch.till.store_id,
                amount=hold.held,
                currency=self.allowance.currency,
                at=hold.decided_at,
                opened=hold.account_key in self.taking.opened,
            ),
        )
        assert use is not None, "the allowance is there, and of its own currency"
        self.uses[hold.key] = use
        if sold is not None:
            found = marks(use, judge(hold, hold.customer_id, sold.amount, False), sold.amount)
            self.books.capture(hold, min(sold.amount, hold.held), sold.invoice_id)
            note = f"hold {hold.hold_id} was handed in under allowance {hold.allowance_id}"
            self.books.authorise(sold, found, note, self.batch.at)

    def answer(self) -> Answer:
        """What became of each."""
        return Answer(tuple(self._answer(place) for place in range(len(self.batch.holds))), self.allowance)

    def _answer(self, place: int) -> Taken | DomainError:
        offline = self.batch.holds[place]
        hold = self.books.holds.get(offline.hold_key)
        if place in self.refused:
            return self.refused[place]
        if hold is None:  # another customer's request took the id in this very moment
            return IdempotencyConflict("hold", offline.hold_id)
        return Taken(hold, self.uses.get(hold.key), self.books.accounts[self.payers[offline.key]])
