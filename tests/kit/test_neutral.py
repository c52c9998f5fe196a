"""Addresses of people are kept out of texts; what staff and tills really write passes."""

import pytest

from kit import neutral, pan


@pytest.mark.parametrize(
    "text",
    [
        "budi@example.com",
        "ask Budi@toko.co.id first",
        "081234567890",
        "call 0812 3456 7890",
        "0812-3456-7890, evenings",
        "+62 812-3456-7890",
        "6281234567890",
        "+1 (415) 555-2671",
    ],
)
def test_an_address_is_refused_in_any_text_and_its_field_is_named(text: str) -> None:
    with pytest.raises(neutral.TextNotNeutral) as refused:
        neutral.refuse(reason="fine", note=text)
    assert (refused.value.reason, refused.value.metadata) == ("TEXT_NOT_NEUTRAL", {"field": "note"})


@pytest.mark.parametrize("text", ["4111111111111111", "card 5500-0000-0000-0004"])
def test_a_card_number_is_refused_as_a_card_number(text: str) -> None:
    with pytest.raises(pan.PanNotAllowed):
        neutral.refuse(note=text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "moved away, nobody answers",
        "R-0001",
        "INV/2026/01/000123",
        "20260115-0001",
        "BCA 08:15",
        "00123456789",
        "2 @ 5.000",
        "1.250.000 paid of 2.000.000",
    ],
)
def test_what_staff_really_write_passes(text: str) -> None:
    neutral.refuse(note=text)


@pytest.mark.parametrize("text", ["628012345678", "0812345678", "TRX-0001", ""])
def test_a_reference_of_a_bank_may_begin_like_a_phone_number(text: str) -> None:
    neutral.refuse_in_reference(reference=text)


@pytest.mark.parametrize("text", ["+62 812-3456-7890", "budi@example.com"])
def test_an_address_is_no_reference(text: str) -> None:
    with pytest.raises(neutral.TextNotNeutral):
        neutral.refuse_in_reference(reference=text)


def test_a_card_number_is_no_reference() -> None:
    with pytest.raises(pan.PanNotAllowed):
        neutral.refuse_in_reference(reference="4111111111111111")
