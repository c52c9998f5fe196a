"""Which way a message takes and what follows from an attempt, by table and by hypothesis."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.messages.model import FINAL, Contact, Outcome, Reason, Route, State, Way, failed, route, too_late

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


@given(OFFSETS, st.sampled_from([r for r in Reason if r]))
def test_a_failed_attempt_is_final_only_when_it_is_too_late(offset: timedelta, why: Reason) -> None:
    outcome = failed(why, NOW + offset, NOW, "email")
    assert (outcome.state in FINAL) == (offset > timedelta(0))
    assert outcome.last_failure == why
    assert (outcome.reason == Reason.NOT_AFTER_PASSED) == (outcome.state is State.FAILED)


@given(OFFSETS, st.integers(1, 1000))
def test_what_is_too_late_is_skipped_if_untried_and_failed_if_tried(offset: timedelta, attempts: int) -> None:
    outcome = too_late(NOW + offset, NOW, attempts)
    if offset <= timedelta(0):
        assert outcome is None
    else:
        assert outcome is not None
        assert outcome.state == (State.SKIPPED if attempts == 1 else State.FAILED)
