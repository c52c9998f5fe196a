"""Which messages go, which wait, which never go and why."""

import datetime
from zoneinfo import ZoneInfo

import pytest

from local.demo.oracle import post
from local.demo.oracle.invoices import Invoice
from local.demo.oracle.post import Letter, Post

ZONE = "Asia/Jakarta"
FAR = 4_000_000_000


def at(hour: int, minute: int = 0, day: int = 1) -> int:
    return int(datetime.datetime(2017, 3, day, hour, minute, tzinfo=ZoneInfo(ZONE)).timestamp())


def outcome(letter: Letter) -> tuple[str, set[str]]:
    return letter.state, letter.reasons


@pytest.mark.parametrize("kind", sorted(post.NEVER_HELD))
def test_a_confirmation_goes_in_the_night_too(kind: str) -> None:
    box, letter = Post(ZONE, True, False), Letter(kind, "1", FAR)
    box.write(letter)
    box.attempt(at(2))
    assert outcome(letter) == ("SENT", set())


@pytest.mark.parametrize("kind", [post.DUE, post.OVERDUE, post.EXPIRING, post.TIER, post.BIRTHDAY])
def test_everything_else_waits_for_the_end_of_the_quiet_hours(kind: str) -> None:
    box, letter = Post(ZONE, True, True), Letter(kind, "1", FAR)
    box.write(letter)
    for hour, minute in ((7, 0), (9, 29)):
        box.attempt(at(hour, minute))
        assert letter.state == "PENDING"
    box.attempt(at(9, 30))
    assert letter.state == "SENT"


def test_a_greeting_goes_only_in_greeting_hours() -> None:
    box, letter = Post(ZONE, True, True), Letter(post.BIRTHDAY, "2017", at(0, day=2))
    box.write(letter)
    box.attempt(at(17))
    assert letter.state == "PENDING"
    box.attempt(at(10, day=2))
    assert outcome(letter) == ("SKIPPED", {"NOT_AFTER_PASSED"})


def test_who_agreed_to_no_greeting_gets_none() -> None:
    box, letter = Post(ZONE, True, False), Letter(post.BIRTHDAY, "2017", FAR)
    box.write(letter)
    box.attempt(at(10))
    assert outcome(letter) == ("SKIPPED", {"NO_CONSENT"})


def test_who_has_no_email_is_reached_by_nothing() -> None:
    box, letter = Post(ZONE, False, False), Letter(post.CONFIRMATION, "1", FAR)
    box.write(letter)
    box.attempt(at(10))
    assert outcome(letter) == ("SKIPPED", {"NO_CHANNEL"})
    assert box.sent == 0


def test_a_reminder_of_what_was_paid_meanwhile_is_not_sent() -> None:
    day = datetime.date(2017, 3, 1)
    paid, unpaid = (Invoice("P", "1", 100, left, day, day) for left in (0, 60))
    box = Post(ZONE, True, False)
    some, none = Letter(post.DUE, "1", FAR, [paid, unpaid]), Letter(post.DUE, "2", FAR, [paid])
    box.write(some)
    box.attempt(at(10))
    box.write(none)
    box.attempt(at(10))
    assert (outcome(some), outcome(none)) == (("SENT", set()), ("SKIPPED", {"PAID"}))


def test_a_newer_message_replaces_an_unsent_one_of_its_family_alone() -> None:
    box = Post(ZONE, True, False)
    letters = [Letter(post.DUE, "1", FAR), Letter(post.TIER, "2", FAR), Letter(post.OVERDUE, "2", FAR)]
    for letter in letters:
        box.write(letter)
    box.attempt(at(7))
    box.write(Letter(post.TIER, "3", FAR))
    box.attempt(at(10))
    assert [letter.state for letter in letters] == ["SKIPPED", "SKIPPED", "SENT"]
    assert [letter.reasons for letter in letters] == [{"REPLACED"}, {"REPLACED"}, set()]
    assert box.sent == 2


def test_the_same_cause_is_told_once() -> None:
    box = Post(ZONE, True, False)
    for _ in range(2):
        box.write(Letter(post.TIER, "2", FAR))
        box.attempt(at(10))
    assert box.sent == 1
