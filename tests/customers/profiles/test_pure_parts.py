"""The pure parts: normal forms, masks, consent, ages, sealing, blind indexes, keys."""

from __future__ import annotations

import asyncio
import stat
from datetime import date, time
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from customers.contacts.model import (
    BirthDate,
    Evidence,
    agreed,
    check_birth_date,
    index_value,
    is_minor,
    normal_email,
    normal_phone,
    refusal,
)
from customers.errors import Invalid
from customers.merchants.model import Hours, check_hours, check_language, check_zone, currency
from customers.profiles.model import greeting_name, mask, name_parts, normal_code
from customers.vault.contract import check_key_provider
from customers.vault.plugins import FileKeys, KeyUnavailable, Wrapped
from customers.vault.seal import BlindIndex, Keyring, PersonKey, Sealer

DIGITS = st.text("0123456789", min_size=8, max_size=10)


@given(DIGITS, st.sampled_from(["0", "+62", "62 0", "+62 "]))
def test_an_indonesian_mobile_number_is_one_number_however_it_is_written(rest: str, prefix: str) -> None:
    text = prefix.replace("62 0", "0") + "8" + rest
    number = phonenumbers.parse(text, "ID")
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert normal_phone(text, "phone") == expected == "+628" + rest


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("(021) 555-1234", "+62215551234"),
        ("+1 650 253 0000", "+16502530000"),
        ("0812 3456 7890", "+6281234567890"),
        ("62812 3456 7890", "+6281234567890"),
    ],
)
def test_other_numbers_are_read_as_dialled_in_indonesia(text: str, normal: str) -> None:
    assert normal_phone(text, "phone") == normal


@pytest.mark.parametrize("text", ["", "0", "halo", "0812-RAHASIA", "0812345678 ext. 9", "+999123456789"])
def test_what_is_no_number_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        normal_phone(text, "phone")
    assert caught.value.reason == "INVALID_PHONE"
    assert not text or len(text) < 2 or text not in caught.value.message


def test_an_email_address_is_found_whatever_its_case() -> None:
    assert normal_email("Budi@TOKO.co.id", "email") == "Budi@toko.co.id"
    assert index_value("email", "Budi@toko.co.id") == index_value("email", "BUDI@toko.co.id")


def test_names_are_masked_greeted_and_indexed_by_their_words() -> None:
    assert mask("Budi  Santoso") == "B*** S***"
    assert mask("") == ""
    assert greeting_name({"full_name": "Budi Santoso", "nickname": "Mas Budi"}) == "Mas Budi"
    assert greeting_name({"full_name": "Budi"}) == "Budi"
    assert name_parts("Bùdi SANTOSO, O") == {"budi", "santoso"}


@given(st.text(max_size=60))
def test_a_mask_tells_no_more_than_first_letters(name: str) -> None:
    shown = mask(name).replace("***", "").split()
    assert all(len(letter) == 1 for letter in shown)


def test_member_codes_have_one_form() -> None:
    assert normal_code("ab-12 34", "code") == "AB-1234"
    for bad in ("abc", "-abcd", "abcd-", "a_bcd", "x" * 33, "kartu!"):
        with pytest.raises(Invalid):
            normal_code(bad, "code")


def test_eighteen_begins_on_the_birthday() -> None:
    born = BirthDate(2008, 2, 29)
    assert is_minor(born, date(2026, 2, 28))
    assert not is_minor(born, date(2026, 3, 1))
    assert not is_minor(BirthDate(0, 2, 29), date(2026, 2, 28))
    assert not is_minor(None, date(2026, 2, 28))


@pytest.mark.parametrize(
    ("born", "good"),
    [
        (BirthDate(0, 2, 29), True),
        (BirthDate(2024, 2, 29), True),
        (BirthDate(2023, 2, 29), False),
        (BirthDate(1890, 1, 1), False),
        (BirthDate(2026, 3, 3), False),
        (BirthDate(0, 13, 1), False),
    ],
)
def test_a_birth_date_exists_and_is_past(born: BirthDate, good: bool) -> None:
    if good:
        assert BirthDate.parse(str(check_birth_date(born, date(2026, 3, 2)))) == born
    else:
        with pytest.raises(Invalid):
            check_birth_date(born, date(2026, 3, 2))


def given_to(
    purpose: str, channel: str, token: bytes | None, given: bool, guardian: bool = False
) -> Evidence:
    return Evidence(purpose, channel, token, given, guardian)


@pytest.mark.parametrize(
    ("evidence", "purpose", "minor", "expected"),
    [
        ([], "MARKETING", False, False),
        ([], "CONFIRMATION", False, True),
        ([given_to("MARKETING", "EMAIL", None, True)], "MARKETING", False, True),
        ([given_to("MARKETING", "EMAIL", b"a", True)], "MARKETING", False, True),
        ([given_to("MARKETING", "EMAIL", b"b", True)], "MARKETING", False, False),
        ([given_to("MARKETING", "PHONE", None, True)], "MARKETING", False, False),
        ([given_to("GREETING", "EMAIL", None, True)], "MARKETING", False, False),
        (
            [given_to("MARKETING", "EMAIL", None, False), given_to("MARKETING", "EMAIL", b"a", True)],
            "MARKETING",
            False,
            False,
        ),
        (
            [given_to("MARKETING", "EMAIL", b"a", True), given_to("MARKETING", "EMAIL", None, False)],
            "MARKETING",
            False,
            True,
        ),
        ([given_to("CONFIRMATION", "EMAIL", None, False)], "CONFIRMATION", False, False),
        ([given_to("MARKETING", "EMAIL", None, True)], "MARKETING", True, False),
        ([given_to("MARKETING", "EMAIL", None, True, True)], "MARKETING", True, True),
        (
            [given_to("MARKETING", "EMAIL", None, False), given_to("MARKETING", "EMAIL", None, True, True)],
            "MARKETING",
            True,
            False,
        ),
    ],
)
def test_the_newest_evidence_that_speaks_of_an_address_counts(
    evidence: list[Evidence], purpose: str, minor: bool, expected: bool
) -> None:
    assert agreed(evidence, purpose, "EMAIL", b"a", minor=minor) is expected


def test_status_refuses_what_it_must() -> None:
    assert refusal(None, "CONFIRMATION") == "UNKNOWN"
    assert refusal("ACTIVE", "MARKETING") is None
    assert refusal("INACTIVE", "MARKETING") == "INACTIVE"
    assert refusal("INACTIVE", "PAYMENT_REMINDER") is None
    assert refusal("RESTRICTED", "CONFIRMATION") == "RESTRICTED"
    assert refusal("ERASING", "CONFIRMATION") == refusal("ERASED", "MARKETING") == "ERASED"


def test_settings_of_a_merchant_are_believable() -> None:
    assert (currency("IDR", None).digits, currency("USD", None).digits, currency("JPY", None).digits) == (
        0,
        2,
        0,
    )
    assert currency("IDR", 2).digits == 2
    assert check_zone("Asia/Jayapura", "zone") == "Asia/Jayapura"
    assert check_language("id-ID", "locale") == "id-ID"
    checks: list[Any] = [
        lambda: currency("XQQ", None),
        lambda: check_zone("../etc/passwd", "zone"),
        lambda: check_zone("WIB", "zone"),
        lambda: check_language("indonesia", "locale"),
        lambda: check_hours(Hours(time(8), time(8)), "hours"),
    ]
    for check in checks:
        with pytest.raises(Invalid):
            check()


@given(st.text(max_size=200))
def test_what_is_sealed_comes_back_and_never_twice_the_same(text: str) -> None:
    sealer = Sealer("toko", "c1", 1, bytes(32))
    first, second = sealer.seal("notes", text), sealer.seal("notes", text)
    assert sealer.open("notes", first) == sealer.open("notes", second) == text
    assert first != second


def test_a_sealed_value_opens_nowhere_else() -> None:
    sealed = Sealer("toko", "c1", 1, bytes(32)).seal("notes", "x")
    others = [("toko2", "c1", 1), ("toko", "c2", 1), ("toko", "c1", 2)]
    for merchant, customer, version in others:
        with pytest.raises(InvalidTag):
            Sealer(merchant, customer, version, bytes(32)).open("notes", sealed)
    with pytest.raises(InvalidTag):
        Sealer("toko", "c1", 1, bytes(32)).open("address", sealed)


@pytest.fixture
def file_keys(tmp_path: Path) -> FileKeys:
    return FileKeys(FileKeys.Config(path=tmp_path / "keys.json", create=True))


async def test_the_built_in_key_provider_keeps_the_contract(file_keys: FileKeys) -> None:
    await check_key_provider(file_keys)


async def test_the_key_file_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    config = FileKeys.Config(path=tmp_path / "keys.json", create=True)
    first, second = FileKeys(config), FileKeys(config)
    assert first.index_keys() == second.index_keys()
    assert stat.S_IMODE(config.path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["keys.json"]
    wrapped = await first.wrap(bytes(32), b"c")
    assert await second.unwrap([wrapped]) == [bytes(32)]
    with pytest.raises(KeyUnavailable):
        await second.unwrap([Wrapped("k9", wrapped.wrapped, b"c")])


def test_a_missing_key_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileKeys(FileKeys.Config(path=tmp_path / "absent.json"))


class Rotated(FileKeys):
    """The same keys, and a newer index key."""

    def index_keys(self) -> dict[int, bytes]:
        return {**super().index_keys(), 2: b"n" * 32}


async def test_blind_indexes_tell_merchants_and_kinds_apart_and_know_old_keys(tmp_path: Path) -> None:
    config = FileKeys.Config(path=tmp_path / "keys.json", create=True)
    old, new = BlindIndex(FileKeys(config)), BlindIndex(Rotated(config))
    token = old.token("toko", "number", "+62812")
    assert token.current != old.token("toko2", "number", "+62812").current
    assert token.current != old.token("toko", "email", "+62812").current
    rotated = new.token("toko", "number", "+62812")
    assert token.current in rotated.every
    assert rotated.current != token.current
    assert (rotated.version, rotated.lock) == (2, token.lock)
    assert (
        old.fingerprint(1, "toko", "x") == new.fingerprint(1, "toko", "x") != new.fingerprint(2, "toko", "x")
    )


class Counting(FileKeys):
    """Counts what it unwraps."""

    unwrapped = 0

    async def unwrap(self, wrapped: Any) -> list[bytes]:
        self.unwrapped += len(wrapped)
        return await super().unwrap(wrapped)


async def test_a_data_key_is_unwrapped_once_until_it_is_crowded_out(tmp_path: Path) -> None:
    provider = Counting(FileKeys.Config(path=tmp_path / "keys.json", create=True))
    maker = Keyring(provider, 10)
    people: list[PersonKey] = []
    for n in range(3):
        person, sealer = await maker.create("toko", f"c{n}")
        assert sealer.open("x", sealer.seal("x", "y")) == "y"
        people.append(person)
    ring = Keyring(provider, 2)
    await ring.sealers(people[:2])
    await ring.sealers(people[:2])
    assert provider.unwrapped == 2
    await ring.sealers(people)
    assert provider.unwrapped == 3
    await ring.sealer(people[0])
    assert provider.unwrapped == 4


class Slow(FileKeys):
    """Answers when it is told to, as a service of another building does."""

    def __init__(self, config: FileKeys.Config) -> None:
        super().__init__(config)
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def unwrap(self, wrapped: Any) -> list[bytes]:
        self.asked.set()
        await self.answers.wait()
        return await super().unwrap(wrapped)


async def test_who_is_erased_while_the_key_of_another_is_asked_for_fails_nobodys_call(tmp_path: Path) -> None:
    quick = FileKeys(FileKeys.Config(path=tmp_path / "keys.json", create=True))
    one, two = [(await Keyring(quick, 10).create("toko", name))[0] for name in ("c1", "c2")]
    slow = Slow(FileKeys.Config(path=tmp_path / "keys.json"))
    ring = Keyring(slow, 10)
    slow.answers.set()
    (known,) = await ring.sealers([one])
    slow.answers.clear()
    slow.asked.clear()
    asking = asyncio.create_task(ring.sealers([one, two]))
    await slow.asked.wait()
    ring.forget("toko", "c1")
    slow.answers.set()
    found = await asking
    assert found[0] is known
    assert found[1].open("x", found[1].seal("x", "y")) == "y"
    slow.asked.clear()
    await ring.sealers([two])
    assert not slow.asked.is_set()
    await ring.sealers([one])
    assert slow.asked.is_set(), "the key of who was erased is in no memory"
