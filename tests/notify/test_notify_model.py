"""Which way a message takes and what follows from an attempt, by table and by hypothesis."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.messages.model import (
    FINAL,
    PERMANENT,
    Contact,
    Outcome,
    Reason,
    Route,
    State,
    Way,
    failed,
    pause_s,
    route,
    too_late,
)

NOW = datetime(2026, 1, 15, 3, tzinfo=UTC)
MAIL, PHONE = Way("email", "a@example.com"), Way("phone", "+628")
CARRIERS = {"email": ["email", "console"], "phone": ["console"]}


def contact(*ways: Way, refusal: Reason = Reason.NONE) -> Contact:
    return Contact(refusal, ways, "Siti", "id", "id-ID", "Toko")


@pytest.mark.parametrize(
    ("who", "wanted", "expected"),
    [
        (contact(MAIL, PHONE), "", Route("email", MAIL)),
        (contact(PHONE, MAIL), "", Route("console", PHONE)),
        (contact(PHONE, MAIL), "email", Route("email", MAIL)),
        (contact(MAIL), "console", Route("console", MAIL)),
        (contact(Way("whatsapp", "+628")), "", Outcome(State.SKIPPED, Reason.NO_CHANNEL)),
        (contact(PHONE), "email", Outcome(State.SKIPPED, Reason.NO_CHANNEL)),
        (contact(), "", Outcome(State.SKIPPED, Reason.NO_CONTACT)),
        (contact(refusal=Reason.NO_CONSENT), "", Outcome(State.SKIPPED, Reason.NO_CONSENT)),
        (contact(MAIL, refusal=Reason.CUSTOMER_ERASED), "", Outcome(State.SKIPPED, Reason.CUSTOMER_ERASED)),
    ],
)
def test_the_first_allowed_way_that_is_set_up_is_taken(
    who: Contact, wanted: str, expected: Route | Outcome
) -> None:
    assert route(who, CARRIERS, wanted) == expected


OFFSETS = st.timedeltas(timedelta(days=-2), timedelta(days=2))
ROUTE = Route("email", MAIL, "email/email/1", others=1)
LAST = Route("email", MAIL, "email/email/1", others=0)


@given(OFFSETS, st.sampled_from([r for r in Reason if r and r not in PERMANENT]), st.integers(0, 50))
def test_what_may_yet_succeed_is_final_only_when_it_is_too_late(
    offset: timedelta, why: Reason, failures: int
) -> None:
    for way in (None, ROUTE, LAST):
        outcome = failed(why, NOW + offset, NOW, way, failures=failures, per_route=5)
        assert (outcome.state in FINAL) == (offset > timedelta(0))
        assert outcome.last_failure == why
        assert (outcome.reason == Reason.NOT_AFTER_PASSED) == (outcome.state is State.FAILED)
        assert outcome.given_up == ""


@pytest.mark.parametrize("why", sorted(PERMANENT))
def test_a_refusal_for_good_gives_its_way_up_and_the_message_with_the_last(why: Reason) -> None:
    other = failed(why, NOW, NOW, ROUTE)
    assert (other.state, other.given_up, other.at_once) == (State.PENDING, ROUTE.key, True)
    final = failed(why, NOW, NOW, LAST)
    assert (final.state, final.reason, final.channel) == (State.FAILED, why, "email")


def test_the_next_way_has_its_turn_after_so_many_failures_and_at_once() -> None:
    who = contact(MAIL, PHONE)
    turns = []
    for failures in range(12):
        way = route(who, CARRIERS, "", failures=failures, failures_per_route=2)
        assert isinstance(way, Route)
        turns.append(way.channel + "/" + way.way.way)
    ways = ["email/email", "console/email", "console/phone"]
    assert turns == [way for way in ways for _ in range(2)] * 2
    at_once = [
        failed(Reason.CHANNEL_BUSY, NOW, NOW, ROUTE, failures=n, per_route=2).at_once for n in range(4)
    ]
    assert at_once == [False, True, False, True]
    assert not failed(Reason.CHANNEL_BUSY, NOW, NOW, LAST, failures=1, per_route=2).at_once


def test_ways_that_were_given_up_are_not_tried_again() -> None:
    two = contact(MAIL, Way("email", "b@example.com"))
    first = route(two, {"email": ["email"]}, "")
    assert isinstance(first, Route)
    second = route(two, {"email": ["email"]}, "", given_up=[first.key])
    assert isinstance(second, Route)
    assert (first.way.address, second.way.address) == ("a@example.com", "b@example.com")
    assert (first.others, second.others) == (1, 0)
    assert "example" not in first.key + second.key
    nothing = route(
        two, {"email": ["email"]}, "", given_up=[first.key, second.key], last_failure=Reason.ADDRESS_REFUSED
    )
    assert nothing == Outcome(State.FAILED, Reason.ADDRESS_REFUSED)


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_the_longest_and_are_spread(attempts: int, draw: float) -> None:
    pause = pause_s(attempts, 30.0, 900.0, draw)
    whole = min(30.0 * 2.0 ** (attempts - 1), 900.0)
    assert whole / 2 <= pause <= whole


@given(OFFSETS, st.integers(1, 1000))
def test_what_is_too_late_is_skipped_if_untried_and_failed_if_tried(offset: timedelta, attempts: int) -> None:
    outcome = too_late(NOW + offset, NOW, attempts)
    if offset <= timedelta(0):
        assert outcome is None
    else:
        assert outcome is not None
        assert outcome.state == (State.SKIPPED if attempts == 1 else State.FAILED)
