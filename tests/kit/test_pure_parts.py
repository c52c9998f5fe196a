"""Fingerprints, page tokens, plugins, redaction, clocks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from kit import clock, paging, plugins
from kit.errors import FailedPrecondition, InvalidArgument
from kit.fingerprint import fingerprint
from kit.logs import redact, scrub


def test_a_fingerprint_tells_fields_types_and_versions_apart() -> None:
    seen = {
        fingerprint(1, "a", "b"),
        fingerprint(1, "ab", ""),
        fingerprint(2, "a", "b"),
        fingerprint(1, 1),
        fingerprint(1, "1"),
        fingerprint(1, True),
        fingerprint(1, ("a", "b")),
        fingerprint(1, b"a"),
        fingerprint(1, None),
    }
    assert len(seen) == 9
    assert all(len(mark) == 32 for mark in seen)
    assert fingerprint(1, ("a", 1)) == fingerprint(1, ["a", 1])


def test_a_page_token_works_for_its_filter_alone() -> None:
    token = paging.encode([5, "x"], "toko", "customer")
    assert paging.decode(token, "toko", "customer") == [5, "x"]
    assert paging.decode("", "toko") is None
    for damaged in (token[:-3], "not a token", token + "AAAA"):
        with pytest.raises(InvalidArgument) as caught:
            paging.decode(damaged, "toko", "customer")
        assert caught.value.reason == "INVALID_PAGE_TOKEN"
    with pytest.raises(InvalidArgument):
        paging.decode(token, "other", "customer")


def test_a_page_has_at_most_two_hundred_rows() -> None:
    assert [paging.page_size(n) for n in (0, 7, 1_000)] == [50, 7, 200]


class Steps(BaseModel):
    """A configuration."""

    step: int


class Stepper:
    """A plugin."""

    contract = 1
    Config = Steps

    def __init__(self, config: Steps) -> None:
        self.config = config


def test_a_plugin_gets_its_validated_configuration() -> None:
    assert plugins.configure({"stepper": Stepper}, "stepper", {"step": 3}).config.step == 3


def test_a_missing_plugin_is_named() -> None:
    with pytest.raises(FailedPrecondition, match="lader") as caught:
        plugins.configure({"stepper": Stepper}, "lader", {})
    assert caught.value.reason == "PLUGIN_MISSING"


def test_a_wrong_configuration_names_the_field() -> None:
    with pytest.raises(InvalidArgument, match="step") as caught:
        plugins.configure({"stepper": Stepper}, "stepper", {"step": "many"})
    assert caught.value.reason == "INVALID_PLUGIN_CONFIG"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail to siti.r@contoh.co.id failed", "mail to [email] failed"),
        ("call +62 812-3456-7890 now", "call [phone] now"),
        ("081234567890", "[phone]"),
        ("0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b", "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"),
    ],
)
def test_logs_show_no_address_and_no_number(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_logs_show_nothing_of_a_person_however_deep_it_lies() -> None:
    said = {
        "event": "refused",
        "count": 3,
        "email": "siti@example.com",
        "why": ValueError("no such user siti@example.com"),
        "answers": [{"address": "Jalan Melati 7", "code": 550}, ("0812-3456-7890", None)],
    }
    assert redact(None, "info", said) == {
        "event": "refused",
        "count": 3,
        "email": "[redacted]",
        "why": "no such user [email]",
        "answers": [{"address": "[redacted]", "code": 550}, ["[phone]", None]],
    }


async def test_the_file_clock_stands_moves_forward_and_wakes(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    first, later = datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 2, tzinfo=UTC)
    clock.move(path, first)
    file_clock = clock.FileClock(path)
    assert file_clock.now() == first
    clock.move(path, later)
    await file_clock.changed(first)
    assert file_clock.now() == later
    await file_clock.changed(first)  # whoever comes late is not left waiting
    clock.move(path, first)
    assert file_clock.now() == later
