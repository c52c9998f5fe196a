"""Nobody loses a point twice: a return takes back what has not expired, whenever the daily sweep comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.audit import run_audit
from langganan.loyalty.v1 import bookings_pb2, bookings_pb2_grpc
from loyalty.accounts.expiry import expire, lapsed
from loyalty.accounts.model import Account, Book, Cause
from loyalty.audit.checks import AUDIT
from loyalty.purchases.model import Purchase, Return, ReturnedLine, book_return
from tests.loyalty.books import TODAY, check
from tests.loyalty.facts import NOON

NET = 1_000
"""What the one line of each purchase of the model costs."""


@dataclass
class World:
    """A customer in UTC; `swept`: whether the sweep comes each day or only at the very end."""

    swept: bool
    day: date = TODAY
    book: Book = field(default_factory=lambda: Book(Account("m", "c")))
    bought: list[Purchase] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    number: int = 0

    @property
    def usable(self) -> int:
        return self.book.account.active - sum(lapsed(self.book, self.day).values())

    def name(self) -> str:
        self.number += 1
        return str(self.number)

    def earn(self, points: int, days: int | None) -> None:
        name, at = self.name(), noon(self.day)
        last = None if days is None else self.day + timedelta(days=days)
        lot = self.book.give("EARN", points, Cause("PURCHASE", name, "", name), last, 1, at).entry_no
        self.bought.append(Purchase(name, at, NET, NET, points, {"1": points}, lot, "", 10_000, 1))
        self.left[name] = NET

    def hold(self, points: int) -> None:
        if points <= self.usable:
            name = self.name()
            self.book.hold(points, name, self.day)
            self.held[name] = points

    def free(self) -> None:
        if self.held:
            name, points = self.held.popitem()
            self.book.unhold(points, name)

    def redeem(self) -> None:
        if self.held:
            name, points = self.held.popitem()
            made_on = self.book.holds[name].day
            self.book.unhold(points, name)
            self.book.take("REDEEM", points, Cause("PURCHASE", name), 1, noon(self.day), day=made_on)

    def give_back(self, place: int, part: int, on: date | None = None) -> None:
        """Return a part, in hundredths, of what is left of a purchase."""
        if not self.bought:
            return
        purchase, name = self.bought[place % len(self.bought)], self.name()
        before, on = self.left[purchase.purchase_id], on or self.day
        amount = before * part // 100
        self.left[purchase.purchase_id] -= amount
        line = ReturnedLine("1", amount, before, True, amount == before)
        back = Return("m", "c", name, purchase.purchase_id, noon(on), on, (line,), ())
        booked = book_return(self.book, back, purchase, {})
        assert sum(purchase.line_points.values()) == purchase.points - self._taken(purchase)
        assert booked.taken_back == -self.sum_of("TAKE_BACK", name)
        assert purchase.spared == self.sum_of("EXPIRE", purchase=purchase.purchase_id)

    def use(self, points: int) -> None:
        """Redeem so many at once, or as many as there are."""
        points = min(points, self.usable)
        if points > 0:
            self.hold(points)
            self.redeem()

    def sleep(self, days: int) -> None:
        for _ in range(days):
            self.day += timedelta(days=1)
            if self.swept:
                expire(self.book, self.day)

    def end(self) -> int:
        """Free all that is held, let everything expire and tell the balance."""
        while self.held:
            self.free()
        self.day += timedelta(days=1_000)
        expire(self.book, self.day)
        check(self.book)
        return self.book.account.balance

    def sum_of(self, kind: str, cause: str = "", purchase: str = "") -> int:
        return sum(
            entry.points
            for entry in self.book.entries
            if entry.kind == kind
            and cause in ("", entry.cause.id)
            and (not purchase or purchase == entry.cause.purchase_id)
        )

    def _taken(self, purchase: Purchase) -> int:
        return -self.sum_of("TAKE_BACK", purchase=purchase.purchase_id)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


POINTS = st.integers(1, 100)
EARN = st.tuples(st.just("earn"), POINTS, st.sampled_from([1, 2, 4, None]))
STEPS = st.lists(
    st.one_of(
        EARN,
        EARN,
        st.tuples(st.just("use"), POINTS),
        st.tuples(st.just("hold"), POINTS),
        st.tuples(st.sampled_from(["free", "redeem"])),
        st.tuples(st.just("give_back"), st.integers(0, 3), st.sampled_from([50, 100])),
        st.tuples(st.just("sleep"), st.integers(1, 3)),
    ),
    min_size=6,
    max_size=30,
)


@settings(max_examples=400)
@given(STEPS)
def test_sweeping_before_or_after_a_return_gives_the_same(steps):
    """At every step the same points can be used, are reserved and are owed; in the end the same are left."""
    daily, never = World(swept=True), World(swept=False)
    for step, *arguments in steps:
        for world in (daily, never):
            getattr(world, step)(*arguments)
            check(world.book)
        accounts = daily.book.account, never.book.account
        assert daily.usable == never.usable
        assert accounts[0].reserved == accounts[1].reserved
        assert accounts[0].negative == accounts[1].negative
    assert daily.end() == never.end()


@settings(max_examples=200)
@given(
    st.integers(1, 100), st.integers(0, 100), st.lists(st.integers(1, 150), max_size=3),
    st.lists(st.sampled_from(["free", "redeem", "sleep"]), max_size=8), st.integers(1, 100),
)  # fmt: skip
def test_a_return_heard_of_late_leaves_what_it_would_have_left_in_time(points, others, holds, after, part):
    """The lot of its purchase may have expired meanwhile, by the sweep or with what was reserved."""
    in_time, late = World(swept=True), World(swept=True)
    for world in (in_time, late):
        world.earn(points, 2)
        if others:
            world.earn(others, None)
        for held in holds:
            world.hold(held)
    in_time.give_back(0, part)
    for world in (in_time, late):
        for step in after:
            getattr(world, step)(*([1] if step == "sleep" else []))
    late.give_back(0, part, on=TODAY)
    assert in_time.end() == late.end()


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("spent", [0, 30, 50, 100])
@pytest.mark.parametrize("parts", [(100,), (50, 100), (20, 50, 10, 100), (50,)])
def test_take_backs_cost_what_their_share_exceeds_what_has_expired(swept, spent, parts):
    world = World(swept)
    world.earn(100, 3)
    if spent:
        world.hold(spent)
        world.redeem()
    world.sleep(4)
    world.sleep(3)
    before = world.book.account.balance - (0 if swept else 100 - spent)
    for part in parts:
        world.give_back(0, part)
        share = 100 - sum(world.bought[0].line_points.values())
        assert world.book.account.balance == before - max(0, share - (100 - spent))
    assert world.end() == world.book.account.balance


def test_the_ledger_says_what_expired_and_that_the_return_undid_it():
    world = World(swept=True)
    world.earn(100, 3)
    world.sleep(4)
    world.give_back(0, 50)
    assert [(e.kind, e.points, e.balance_after) for e in world.book.entries] == [
        ("EARN", 100, 100), ("EXPIRE", -100, 0), ("EXPIRE", 50, 50), ("TAKE_BACK", -50, 0),
    ]  # fmt: skip
    undone = world.book.entries[2]
    assert undone.cause == Cause("RETURN", "2", "1", "1")
    assert (undone.program_version, undone.effective_at) == (1, noon(world.day))


# The service: what is earned on 2 March lives through 2 April; that day ends at 17:00 UTC in Jakarta.

END = datetime(2026, 4, 2, 17, 0, tzinfo=UTC)
LATER = END + timedelta(days=2)


async def spent(loyalty, customer, points):
    """Let a customer use points."""
    held = (await loyalty.reserve(customer, points)).reservation_id
    await loyalty.deliver(loyalty.sale(customer, [points * 10], points=[(points * 10, held)]))


async def sold(loyalty, *, used=50):
    """A customer whose purchase earned 60 and 40 points, of which some were used."""
    customer = await loyalty.customer()
    sale = loyalty.sale(customer, [60_000, 40_000])
    await loyalty.deliver(sale)
    if used:
        await spent(loyalty, customer, used)
    return customer, sale


async def wake(loyalty, at, *, swept):
    """Let it be `at`, with the daily sweep or without."""
    if swept:
        await loyalty.wake(at)
    else:
        loyalty.run.clock.advance(at - loyalty.run.clock.now())


async def healthy(loyalty, customer):
    """The balance, after all that can be checked was checked."""
    assert (await run_audit(loyalty.run.pool, AUDIT)).first == []
    return (await loyalty.explained(customer)).account.balance


async def booked(loyalty, sale, *backs):
    """What reconcile hears of a sale and its returns."""
    stub = loyalty.run.stub(bookings_pb2_grpc.BookingServiceStub, merchant=loyalty.merchant)
    wanted = bookings_pb2.ListBookingsRequest(
        purchases=[
            bookings_pb2.BookingRef(
                purchase_id=sale.payload.purchase_id,
                customer_id=sale.payload.customer_id,
                return_ids=[back.payload.return_id for back in backs],
            )
        ]
    )
    (found,) = (await stub.ListBookings(wanted)).bookings
    assert (found.points, found.entries_earned) == (100, 100)
    return [(r.taken_back, r.entries_taken_back) for r in found.returns]


@pytest.mark.parametrize("swept", [True, False])
async def test_what_has_expired_is_not_taken_back_again(timed, swept):
    customer, sale = await sold(timed)
    await wake(timed, LATER, swept=swept)
    half = timed.returned(sale, [("1", 30_000, 60_000), ("2", 20_000, 40_000)], at=LATER)
    await timed.deliver(half)
    assert await healthy(timed, customer) == 0
    entries = await timed.entries(customer)
    assert [(kind, points) for kind, points, _ in entries][2:] == [
        ("EXPIRE", -50), ("EXPIRE", 30), ("TAKE_BACK", -30), ("EXPIRE", 20), ("TAKE_BACK", -20),
    ]  # fmt: skip
    day = "2026-04-05" if swept else half.payload.return_id
    assert [name for _, _, name in entries][2:] == [day, "1", "1", "2", "2"]
    rest = timed.returned(sale, [("1", 30_000, 30_000), ("2", 20_000, 20_000)], at=LATER)
    await timed.deliver(rest)
    assert await healthy(timed, customer) == -50
    assert await booked(timed, sale, half, rest) == [(50, 50), (50, 50)]
    await timed.wake(LATER + timedelta(days=30))
    account = (await timed.explained(customer)).account
    assert (account.balance, account.negative, account.lapsed) == (-50, 50, 0)


async def test_a_lot_that_was_partly_taken_back_expires_with_what_is_left(timed):
    customer, sale = await sold(timed)
    half = timed.returned(sale, [("1", 30_000, 60_000)], at=NOON + timedelta(days=9))
    await timed.deliver(half)
    await timed.wake(LATER)
    assert (await timed.entries(customer))[3:] == [("EXPIRE", -20, "2026-04-05")]
    await timed.deliver(timed.returned(sale, [("1", 30_000, 30_000)], at=LATER))
    assert await healthy(timed, customer) == -10
    assert (await timed.entries(customer))[4:] == [("EXPIRE", 20, "1"), ("TAKE_BACK", -30, "1")]


async def test_what_a_reservation_kept_and_gave_back_is_not_taken_back_twice(timed):
    """Freed on the day of a return, before that day's sweep: the lot expires twice that day, by each once."""
    customer, sale = await sold(timed, used=0)
    timed.run.clock.advance(END - timedelta(hours=1) - NOON)
    held = (await timed.reserve(customer, 70)).reservation_id
    timed.run.clock.advance(LATER - timed.run.clock.now())
    await timed.deliver(timed.returned(sale, [("2", 40_000, 40_000)], at=LATER))
    assert await healthy(timed, customer) == 60
    assert (await timed.account(customer)).negative == 10
    await timed.release(customer, held)
    await timed.wake(LATER)
    assert await healthy(timed, customer) == 0
    await timed.deliver(timed.returned(sale, [("1", 60_000, 60_000)], at=LATER))
    assert await healthy(timed, customer) == 0
    assert [(kind, points) for kind, points, _ in await timed.entries(customer)] == [
        ("EARN", 100), ("EXPIRE", -30), ("EXPIRE", 30), ("TAKE_BACK", -40), ("EXPIRE", -60),
        ("EXPIRE", 60), ("TAKE_BACK", -60),
    ]  # fmt: skip


@pytest.mark.parametrize("merged", ["before", "between", "after"])
async def test_a_merged_customers_expired_points_are_not_taken_back_again(timed, merged):
    """The absorbed one's lot expires where it was, where it moved, or in both; then the merge goes on."""
    customer, sale = await sold(timed)
    survivor, last = await timed.customer(), await timed.customer()
    await timed.given(survivor, 5)
    if merged == "before":
        await timed.deliver(timed.merged(customer, survivor))
    if merged == "between":
        timed.run.clock.advance(END - timedelta(hours=1) - NOON)
        held = (await timed.reserve(customer, 20)).reservation_id
        await timed.wake(END)
        await timed.deliver(timed.merged(customer, survivor, at=END))
        await timed.release(survivor, held)
    await timed.wake(LATER)
    if merged == "after":
        await timed.deliver(timed.merged(customer, survivor, at=LATER))
    assert (await timed.account(survivor)).balance == 5
    half = timed.returned(sale, [("1", 30_000, 60_000)], at=LATER)
    await timed.deliver(half)
    assert await healthy(timed, survivor) == 5
    await timed.deliver(timed.merged(survivor, last, at=LATER))
    rest = timed.returned(sale, [("1", 30_000, 30_000), ("2", 40_000, 40_000)], at=LATER)
    await timed.deliver(rest)
    assert await healthy(timed, last) == 5 - 50
    assert await booked(timed, sale, half, rest) == [(30, 30), (70, 70)]


async def test_a_merged_purchase_is_taken_back_from_the_lot_that_its_own_became(timed):
    customer, sale = await sold(timed, used=0)
    survivor = await timed.customer()
    await timed.deliver(timed.sale(survivor, [10_000], at=NOON - timedelta(days=9)))
    await timed.deliver(timed.merged(customer, survivor))
    await timed.deliver(timed.returned(sale, [("1", 60_000, 60_000)]))
    lots = (await timed.explained(survivor)).lots
    assert [lot.points_left for lot in lots] == [10, 40]
    assert await healthy(timed, survivor) == 50


async def test_who_owes_owes_no_more_by_a_return_of_what_has_expired(timed):
    customer, sale = await sold(timed, used=0)
    other = timed.sale(customer, [30_000], at=NOON + timedelta(days=20))
    await timed.wake(END)
    await timed.deliver(other)
    await spent(timed, customer, 30)
    await timed.deliver(timed.returned(other, [("1", 30_000, 30_000)], at=END))
    assert (await timed.account(customer)).negative == 30
    await timed.deliver(timed.returned(sale, [("1", 60_000, 60_000), ("2", 40_000, 40_000)], at=END))
    assert await healthy(timed, customer) == -30
