"""Texts: every template in every language, values as people write them, mails that any reader reads."""

import email
import email.policy
import hashlib
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import DomainError
from kit.pan import PanNotAllowed
from notify.channels import mime
from notify.errors import VariableNotNeutral
from notify.templates.catalogue import LANGUAGES, PURCHASE_CONFIRMATION, all_templates
from notify.templates.formats import shown
from notify.templates.render import Renderer
from notify.templates.sources import language_of
from notify.templates.values import Amount, Moment, Value, check_neutral, from_json, to_json

AT = datetime(2026, 3, 5, 17, 4, 59, tzinfo=UTC)
FITTING: dict[type, Value] = {
    str: "R-1",
    int: 3,
    Amount: Amount(12_500, "IDR", 0),
    Moment: Moment(AT, "Asia/Jakarta"),
    date: date(2026, 3, 5),
}
# What has been released never changes: a message that is stored names its version. A new wording is a
# new version; its digest is added here.
RELEASED = {
    "purchase-confirmation/1/id.txt": "5648fbe50606ed6c",
    "purchase-confirmation/1/en.txt": "236d05ae33822b6f",
    "birthday/1/en.txt": "cb3305882d8b70ef",
    "birthday/1/id.txt": "35012c8d69cfe5fd",
    "payment-due/1/en.txt": "1726f798fd7aac7e",
    "payment-due/1/id.txt": "82c05a31b7a803cc",
    "payment-overdue/1/en.txt": "174c9496668580a7",
    "payment-overdue/1/id.txt": "ee5a8c4b01194f7a",
    "payment-received/1/en.txt": "aa154690b4c36a29",
    "payment-received/1/id.txt": "7c8ebbcefc43b49b",
    "payment-reversed/1/en.txt": "e6a05a5aaae0dd2f",
    "payment-reversed/1/id.txt": "13ed835a1f2c9592",
    "points-expiring/1/en.txt": "af8000bb324c6097",
    "points-expiring/1/id.txt": "f3ef0e2c6735a8a7",
    "tier-changed/1/en.txt": "c027acdf96761afe",
    "tier-changed/1/id.txt": "f8dc1f7a5c44a2e2",
}


def test_a_released_text_never_changes() -> None:
    root = resources.files("notify.templates")
    found = {
        f"{t.name}/{t.version}/{language}.txt": hashlib.sha256(
            root.joinpath(t.name, str(t.version), f"{language}.txt").read_bytes()
        ).hexdigest()[:16]
        for t in all_templates()
        for language in LANGUAGES
    }
    assert found == RELEASED


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", all_templates(), ids=lambda t: f"{t.name}-{t.version}")
def test_every_template_renders_with_all_and_with_the_fewest_values(template: Any, language: str) -> None:
    renderer = Renderer()
    few = {name: FITTING[type_] for name, type_ in template.needs.items()}
    many = few | {name: FITTING[type_] for name, type_ in template.may_have.items()}
    for values in (few, many):
        template.check(values)
        text = renderer.render(template, values, language=language, name="Siti", shop="Toko")
        assert text.subject
        assert "Siti" in text.body
        assert "{" not in text.subject + text.body
        assert "\n\n\n" not in text.body


@pytest.mark.parametrize(
    ("value", "indonesian", "english"),
    [
        (Amount(12_500, "IDR", 0), "Rp 12.500", "IDR 12,500"),
        (Amount(1_250_050, "IDR", 2), "Rp 12.500,50", "IDR 12,500.50"),
        (Amount(0, "IDR", 0), "Rp 0", "IDR 0"),
        (Amount(-5_000, "IDR", 0), "-Rp 5.000", "-IDR 5,000"),
        (Amount(999, "USD", 2), "US$9,99", "$9.99"),
        (Amount(99_999_999_999_999, "IDR", 0), "Rp 99.999.999.999.999", "IDR 99,999,999,999,999"),
        (1_234_567, "1.234.567", "1,234,567"),
        (date(2026, 3, 5), "5 Maret 2026", "5 March 2026"),
        (Moment(AT, "Asia/Jakarta"), "6 Maret 2026 00:04 WIB", "6 March 2026 00:04 WIB"),
        (Moment(AT, "Asia/Makassar"), "6 Maret 2026 01:04 WITA", "6 March 2026 01:04 WITA"),
        (Moment(AT, "Asia/Jayapura"), "6 Maret 2026 02:04 WIT", "6 March 2026 02:04 WIT"),
        (Moment(AT, "Asia/Singapore"), "6 Maret 2026 01:04 UTC+08", "6 March 2026 01:04 UTC+08"),
        ("R-1", "R-1", "R-1"),
    ],
)
def test_values_are_written_as_people_write_them(value: Value, indonesian: str, english: str) -> None:
    assert (shown(value, "id"), shown(value, "en")) == (indonesian, english)


@given(st.integers(-(10**17), 10**17), st.integers(0, 4))
def test_no_digit_of_an_amount_is_lost(minor: int, digits: int) -> None:
    text = shown(Amount(minor, "IDR", digits), "id")
    assert int("".join(c for c in text if c.isdigit())) == abs(minor)
    assert ("-" in text) == (minor < 0)
    assert (len(text.rpartition(",")[2]) if digits else 0) == digits


VALUES = st.one_of(
    st.text(max_size=64),
    st.integers(-(2**63), 2**63 - 1),
    st.builds(Amount, st.integers(-(10**17), 10**17), st.just("IDR"), st.integers(0, 4)),
    st.dates(),
    st.builds(
        Moment,
        st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.just("Asia/Jakarta"),
    ),
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_values_are_read_as_they_were_stored(values: dict[str, Value]) -> None:
    assert from_json(to_json(values)) == values


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("id",), "id"),
        (("en-GB",), "en"),
        (("EN_us",), "en"),
        (("jv", "id-ID"), "id"),
        (("", "en-US"), "en"),
        (("zh",), "id"),
        ((), "id"),
    ],
)
def test_the_first_language_with_texts_is_spoken(wishes: tuple[str, ...], language: str) -> None:
    assert language_of(*wishes) == language


@pytest.mark.parametrize(
    "text", ["R-0001", "INV/2026/01/000123", "20260115-0001", "S-12", "08:15", "00123456789", "", "Toko 3"]
)
def test_references_are_neutral(text: str) -> None:
    assert check_neutral("x", text) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("4111111111111111", PanNotAllowed),
        ("5500-0000-0000-0004", PanNotAllowed),
        ("ref 378282246310005", PanNotAllowed),
        ("a@b.co", VariableNotNeutral),
        ("081234567890", VariableNotNeutral),
        ("+1 (415) 555-2671", VariableNotNeutral),
    ],
)
def test_addresses_and_card_numbers_are_not_neutral(text: str, error: type[DomainError]) -> None:
    with pytest.raises(error):
        check_neutral("x", text)


def read(octets: bytes) -> EmailMessage:
    mail = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


ANY_TEXT = st.text(max_size=120)


@given(name=ANY_TEXT, shop=ANY_TEXT, subject=ANY_TEXT, body=st.text(max_size=2000))
def test_any_text_makes_a_mail_that_a_reader_reads(name: str, shop: str, subject: str, body: str) -> None:
    octets = mime.build(
        sender="toko@example.com",
        shop=shop,
        address="siti@example.com",
        name=name,
        subject=subject,
        body=body,
        language="id",
        message_id="<1.2@example.com>",
        at=0.0,
    )
    head = octets.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\r" not in octets.replace(b"\r\n", b"")
    fields = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert len(fields) == 10
    mail = read(octets)
    assert [a.addr_spec for a in mail["To"].addresses] == ["siti@example.com"]
    assert [a.addr_spec for a in mail["From"].addresses] == ["toko@example.com"]
    assert mail["Message-ID"] == "<1.2@example.com>"
    wanted = body.replace("\x00", "").splitlines()
    assert mail.get_content().splitlines() == (wanted or [""])


@pytest.mark.parametrize(
    "name",
    [
        "Siti",
        "Siti Rahayu",
        'Siti "Bos" Rahayu',
        "Rahayu, Siti",
        "Ánh Nguyễn",
        "猫" * 14,
        "a\\b",
        "O'Neil (x)",
    ],
)
def test_names_are_read_as_they_were_given(name: str) -> None:
    octets = mime.build(
        sender="toko@example.com",
        shop=name,
        address="siti@example.com",
        name=name,
        subject=name,
        body="x",
        language="id",
        message_id="<1.2@example.com>",
        at=0.0,
    )
    mail = read(octets)
    assert mail["To"].addresses[0].display_name == name
    assert mail["From"].addresses[0].display_name == name
    assert mail["Subject"] == name


def test_a_long_subject_is_read_as_it_was_given() -> None:
    subject = "猫é" * 200
    assert read(b"Subject: " + mime.unstructured(subject).encode() + b"\r\n\r\n")["Subject"] == subject


def test_a_confirmation_is_of_use_for_six_hours() -> None:
    assert PURCHASE_CONFIRMATION.useful_for == timedelta(hours=6)
