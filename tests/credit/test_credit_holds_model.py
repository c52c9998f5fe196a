"""What is approved, what a cashier is told, and when a hold lapses, by table, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from credit.accounts.model import Override, Status, StoreRoom
from credit.holds import say
from credit.holds.model import HoldKey, Reason, State, available, declined, extend, lapse
from tests.credit.models import AT, KEY, account, hold


@pytest.mark.parametrize(
    ("of", "amount", "reason"),
    [
        (account(), 100, None),
        (account(), 101, Reason.OVER_LIMIT),
        (account(posted=40, held=30), 30, None),
        (account(posted=40, held=30), 31, Reason.OVER_LIMIT),
        (account(posted=200), 1, Reason.OVER_LIMIT),
        (account(credit_balance=20), 120, None),
        (account(limit=0), 1, Reason.OVER_LIMIT),
        (account(status=Status.SUSPENDED), 1, Reason.ACCOUNT_SUSPENDED),
        (account(status=Status.CLOSED), 1, Reason.ACCOUNT_CLOSED),
        (account(override=Override(150, AT + timedelta(seconds=1))), 150, None),
        (account(override=Override(150, AT + timedelta(seconds=1))), 151, Reason.OVER_LIMIT),
        (account(override=Override(150, AT)), 101, Reason.OVER_LIMIT),
        (account(override=Override(0, AT + timedelta(seconds=1))), 1, Reason.OVER_LIMIT),
        (account(status=Status.UNOPENED), 1, Reason.NO_ACCOUNT),
        (account(erased=True), 1, Reason.CUSTOMER_ERASED),
        (account(status=Status.UNOPENED, erased=True), 1, Reason.CUSTOMER_ERASED),
    ],
)
def test_what_is_approved(of, amount, reason):
    assert declined(of, amount, AT) is reason


@pytest.mark.parametrize(
    ("of", "room", "amount", "reason", "left"),
    [
        (account(), StoreRoom("s1", 60, 0), 60, None, 60),
        (account(), StoreRoom("s1", 60, 0), 61, Reason.OVER_STORE_LIMIT, 60),
        (account(), StoreRoom("s1", 60, 45), 16, Reason.OVER_STORE_LIMIT, 15),
        (account(), StoreRoom("s1", 60, 70), 1, Reason.OVER_STORE_LIMIT, 0),
        (account(), StoreRoom("s1", 0, 0), 1, Reason.OVER_STORE_LIMIT, 0),
        # Of two limits that are too narrow the narrower is named, and of two alike the account's.
        (account(posted=50), StoreRoom("s1", 60, 0), 51, Reason.OVER_LIMIT, 50),
        (account(posted=50), StoreRoom("s1", 50, 0), 51, Reason.OVER_LIMIT, 50),
        (account(posted=50), StoreRoom("s1", 49, 0), 51, Reason.OVER_STORE_LIMIT, 49),
        # What the shop owes the customer is of use at any store, but lets no store grow.
        (account(credit_balance=20), StoreRoom("s1", 60, 0), 61, Reason.OVER_STORE_LIMIT, 60),
        # A limit for a time counts while it is in force.
        (
            account(override=Override(150, AT + timedelta(seconds=1))),
            StoreRoom("s1", 120, 0),
            121,
            Reason.OVER_STORE_LIMIT,
            120,
        ),
        (account(override=Override(150, AT)), StoreRoom("s1", 120, 0), 121, Reason.OVER_LIMIT, 100),
        (account(status=Status.SUSPENDED), StoreRoom("s1", 0, 0), 1, Reason.ACCOUNT_SUSPENDED, 0),
    ],
)
def test_a_store_with_a_limit_of_its_own_needs_room_there_too(of, room, amount, reason, left):
    assert declined(of, amount, AT, room=room) is reason
    assert available(of, AT, room) == left


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (account(), Reason.OVERDUE),
        (account(limit=0), Reason.OVERDUE),
        (account(status=Status.SUSPENDED), Reason.ACCOUNT_SUSPENDED),
        (account(status=Status.UNOPENED), Reason.NO_ACCOUNT),
        (account(erased=True), Reason.CUSTOMER_ERASED),
    ],
)
def test_what_is_said_of_a_blocked_account(of, reason):
    assert declined(of, 1, AT, blocked=True) is reason


@pytest.mark.parametrize(
    ("state", "now", "heard", "parked", "lapses"),
    [
        (State.PENDING, 15, 15, False, True),
        (State.PENDING, 20, 20, False, True),
        (State.PENDING, 14, 20, False, False),  # not over by the clock
        (State.PENDING, 20, 14, False, False),  # a sale of its lifetime may be on its way
        (State.PENDING, 20, 20, True, False),  # or is here and cannot be applied
        (State.CAPTURED, 20, 20, False, False),
        (State.VOIDED, 20, 20, False, False),
        (State.DECLINED, 20, 20, False, False),
        (State.EXPIRED, 20, 20, False, False),
    ],
)
def test_a_hold_lapses_when_it_is_over_and_no_sale_of_its_lifetime_can_come(
    state, now, heard, parked, lapses
):
    minutes = timedelta(minutes=1)
    kept = replace(hold(state), expires_at=AT + 15 * minutes)
    after = lapse(kept, AT + now * minutes, AT + heard * minutes, parked)
    assert after == (replace(kept, state=State.EXPIRED) if lapses else None)


def test_a_hold_without_an_end_never_lapses():
    assert lapse(hold(State.VOIDED), AT, AT, False) is None


@pytest.mark.parametrize(
    ("minor", "code", "digits", "language", "text"),
    [
        (1_250_000, "IDR", 0, "id", "Rp1.250.000"),
        (1_250_000, "IDR", 0, "en", "Rp1,250,000"),
        (125_050, "IDR", 2, "id", "Rp1.250,50"),
        (5, "SGD", 2, "en", "SGD 0.05"),
        (0, "IDR", 0, "id", "Rp0"),
    ],
)
def test_amounts_are_said_as_people_write_them(minor, code, digits, language, text):
    assert say.amount(minor, code, digits, language) == text


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_decline_has_a_sentence(language):
    for reason in Reason:
        assert "{" not in say.sentence(reason, "Rp1", language)


@pytest.mark.parametrize(("minutes", "until"), [(20, 20), (15, 15), (10, 15)])
def test_a_hold_that_is_extended_is_kept_from_its_decision_on_and_never_shorter_than_before(minutes, until):
    kept = replace(hold(), expires_at=AT + timedelta(minutes=15))
    after = extend(kept, timedelta(minutes=minutes))
    assert after == replace(kept, expires_at=AT + timedelta(minutes=until))


def test_what_has_no_end_is_not_extended():
    with pytest.raises(AssertionError, match=r"^what is pending has an end$"):
        extend(hold(State.VOIDED), timedelta(minutes=1))


@pytest.mark.parametrize("state", State)
def test_only_a_pending_hold_keeps_credit_aside(state):
    assert hold(state).held == (50 if state is State.PENDING else 0)


def test_a_hold_belongs_to_an_account_and_is_named_by_merchant_and_id():
    assert hold().key == HoldKey("toko", "h")
    assert hold().account_key == KEY
    assert hold(State.PENDING, None).held == 0
